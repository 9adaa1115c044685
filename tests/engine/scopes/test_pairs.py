"""Do two scopes share a path? A table of pairs, each in both orders, on a small real tree."""

import pytest

from engine.scopes.conflict import check_pair, clash
from engine.scopes.scope import covers, resolve_scope

FILES = ("README.md", "src/main.py", "src/a/x.py", "src/a/deep/y.py", "docs/.hidden", ".env", "lib/[id]/page.tsx")


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """What exists: the rest of the names in the table lead to nothing yet."""
    folder = tmp_path_factory.mktemp("tree") / "w"
    for name in FILES:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("")
    (folder / "empty").mkdir()
    return folder


LITERALS = [
    ("src", "src", "src"),
    ("src", "src/", "src"),
    ("src", "./src", "src"),
    ("src", "src/.", "src"),
    ("src//a", "src/a", "src/a"),
    ("src", "src/a", "src/a"),
    ("src", "src/a/x.py", "src/a/x.py"),
    ("src", "src/new/deep", "src/new/deep"),
    ("src/a", "src/main.py", None),
    ("src/a", "src/ab", None),
    ("src/a", "src/a.py", None),
    ("src", "sr", None),
    ("src", "srcs", None),
    ("src", "docs", None),
    ("src/a/..", "src/main.py", "src/main.py"),
    ("src/../docs", "docs/x", "docs/x"),
    ("src/a/../../docs", "src", None),
    (".", "README.md", "README.md"),
    (".", "new/x", "new/x"),
    (".", ".", "x"),
    ("README.md", "README.md", "README.md"),
    ("README.md", "README.md/x", "README.md/x"),
    ("README.md", "README", None),
    ("README.md", "readme.md", None),
    ("SRC", "src", None),
    ("new", "new", "new"),
    ("new", "new/a/b", "new/a/b"),
    ("new/a", "new/b", None),
    ("new/a", "new", "new/a"),
    ("new/a/b", "new/a/c", None),
    ("new", "newer", None),
    ("empty", "empty/x", "empty/x"),
    (".env", ".env", ".env"),
    (".env", "env", None),
    ("docs/.hidden", "docs", "docs/.hidden"),
    ("a b", "a b", "a b"),
    ("a b", "a", None),
    (" a", "a", None),
    ("-a", "-a", "-a"),
    ("a#b", "a#b", "a#b"),
    ("straße", "straße/x", "straße/x"),
    ("straße", "strasse", None),
    ("\u00e9", "e\u0301", None),
    ("日本/語", "日本", "日本/語"),
    ("a~", "a~", "a~"),
    ("a!", "a!", "a!"),
    ("README.md", "src/main.py", None),
    ("x^y", "x^y", "x^y"),
    ("a]", "a]", "a]"),
    ("[", "[", "["),
    ("a[b", "a[b", "a[b"),
    ("{a}", "{a}", "{a}"),
    ("{a}", "a", None),
    ("{}", "{}", "{}"),
]
STARS = [
    ("*", "README.md", "README.md"),
    ("*", "new", "new"),
    ("*", ".env", ".env"),
    ("*", "src/main.py", "src/main.py"),
    ("*", "src/a/new/deep", "src/a/new/deep"),
    ("*", "new/x", None),
    ("*", "README.md/x", None),
    ("*", "*", "src/x"),
    ("*", "*/*", "src/x"),
    ("*/*", "new", "new/x"),
    ("*/*", "README.md", "README.md/x"),
    ("*/*", "new/x/y", None),
    ("*/*", "src/a/q", "src/a/q"),
    ("src/*", "src", "src/x"),
    ("src/*", "src/new", "src/new"),
    ("src/*", "src/new/x", None),
    ("src/*", "src/a/x.py", "src/a/x.py"),
    ("src/*", "src/a/new/deep", "src/a/new/deep"),
    ("src/*", "src/main.py/x", None),
    ("src/*", "src/.hidden", "src/.hidden"),
    ("src/*", "srcs/x", None),
    ("src/*", "docs/*", None),
    ("src/*.py", "src/main.py", "src/main.py"),
    ("src/*.py", "src/.py", "src/.py"),
    ("src/*.py", "src/py", None),
    ("src/*.py", "src/x.pyc", None),
    ("src/*.py", "src/a/x.py", None),
    ("src/*.py", "src/*.md", None),
    ("src/*.py", "src/main.*", "src/main.py"),
    ("src/*.py", "src/m*", "src/m.py"),
    ("src/*.py", "src/*m*", "src/m.py"),
    ("src/*.py", "src/*y", "src/x.py"),
    ("src/*.py", "src/a*", "src/a.py"),
    ("*.md", ".*", ".md"),
    ("*.md", "*.*", "x.md"),
    ("*.md", "README*", "README.md"),
    ("*.md", "README.M?", None),
    ("*a*", "*b*", "ba"),
    ("*a*", "b*", "ba"),
    ("a*", "b*", None),
    ("*a", "*b", None),
    ("a*b", "ab", "ab"),
    ("a*b", "a", None),
    ("a*b", "b*a", None),
    ("a*a", "a", None),
    ("a*a", "aa", "aa"),
    ("ab*ba", "aba", None),
    ("ab*ba", "abba", "abba"),
    ("*ab*", "*ba*", "baab"),
    ("?", "a", "a"),
    ("?", "ab", None),
    ("?", "*", "x"),
    ("?", "日", "日"),
    ("??", "?", None),
    ("??", "a*", "aa"),
    ("a?", "?b", "ab"),
    ("a?", "a", None),
    ("?*", "*?", "x"),
    ("?*?", "a", None),
    ("src/?", "src/a/new", "src/a/new"),
    ("src/?", "src/b/new", None),
    ("sr?", "src/q", "src/q"),
    ("src/*/x.py", "src/a/x.py", "src/a/x.py"),
    ("src/*/x.py", "src/b/x.py", "src/b/x.py"),
    ("src/*/x.py", "src/a", "src/a/x.py"),
    ("src/*/x.py", "src/a/y.py", None),
    ("src/*/x.py", "src/x.py", "src/x.py/x.py"),
    ("src/*/*.py", "src/a/*", "src/a/x.py"),
    ("src/*/*.py", "*/a/x*", "src/a/x.py"),
    ("src/*/", "src/a/q", "src/a/q"),
]
FOLDERS = [
    ("**", "README.md", "README.md"),
    ("**", "new/deep/er", "new/deep/er"),
    ("**", ".env", ".env"),
    ("**", "**", "x"),
    ("**", "*", "x"),
    ("**", "src/**/x", "src/x"),
    ("src/**", "src", "src"),
    ("src/**", "src/x", "src/x"),
    ("src/**", "docs", None),
    ("src/**", "srcs/x", None),
    ("src/**", "sr?", "src"),
    ("new/**", "new", "new"),
    ("new/**", "ne?", "new"),
    ("new/**", "n*/x", "new/x"),
    ("new/**", "new/x/y/z", "new/x/y/z"),
    ("new/**", "newer", None),
    ("**/x.py", "x.py", "x.py"),
    ("**/x.py", "src/a/x.py", "src/a/x.py"),
    ("**/x.py", "new/x.py", "new/x.py"),
    ("**/x.py", "src/a/y.py", "src/a/y.py/x.py"),
    ("**/x.py", "src/a/x.py/z", "src/a/x.py/z/x.py"),
    ("**/x.py", "src", "src/x.py"),
    ("**/x.py", "src/*", "src/x.py"),
    ("**/x.py", "*.md", None),
    ("**/x.py", "**/y.py", None),
    ("**/x.*", "**/*.py", "x.py"),
    ("**/a", "src/a/new", "src/a/new"),
    ("**/a", "b/a/new", "b/a/new/a"),
    ("**/a", "b/a/?", "b/a/a"),
    ("**/a", "b/a/n?", None),
    ("**/a", "b/a", "b/a"),
    ("**/a/**", "b/a/new", "b/a/new"),
    ("**/a/**", "b/c", "b/c/a"),
    ("**/a/**", "b/*", "b/a"),
    ("**/a/*", "**/b/*", "src/a/deep/b/x"),
    ("**/p/*", "**/q/*", None),
    ("**/a/*", "**/b", "a/b"),
    ("a/**/b", "a/b", "a/b"),
    ("a/**/b", "a/c/d/b", "a/c/d/b"),
    ("a/**/b", "a/c/d", "a/c/d/b"),
    ("a/**/b", "a/*/c", None),
    ("a/**/b", "*/b", "a/b"),
    ("a/**/b", "a/b/c", "a/b/c/b"),
    ("a/**/b", "a/b/c*", None),
    ("a/**/b/**", "a/b/c", "a/b/c"),
    ("src/**/*.py", "src/a/*", "src/a/x.py"),
    ("src/**/*.py", "src/main.py", "src/main.py"),
    ("src/**/*.py", "src/*.md", None),
    ("src/**/*.py", "src/new.md", "src/new.md/x.py"),
    ("src/**/*.py", "docs/**/*.py", None),
    ("src/**/*.py", "**/docs/*.py", "src/docs/x.py"),
    ("**/**", "x", "x"),
    ("a/**/**/b", "a/b", "a/b"),
    ("**/.*", ".env", ".env"),
    ("**/.*", "docs/.hidden", "docs/.hidden"),
    ("**/.*", "docs/*", "docs/.x"),
    ("./**", "src/a", "src/a"),
    ("src/../**", "docs", "docs"),
]
CLASSES = [
    ("[ab].md", "a.md", "a.md"),
    ("[ab].md", "c.md", None),
    ("[ab].md", "[bc].md", "b.md"),
    ("[ab].md", "[cd].md", None),
    ("[!ab].md", "a.md", None),
    ("[!ab].md", "c.md", "c.md"),
    ("[!ab].md", "[!cd].md", "x.md"),
    ("[!ab].md", "[ab].md", None),
    ("[!a-y]", "[a-z]", "z"),
    ("[a-c]", "b", "b"),
    ("[a-c]", "d", None),
    ("[a-c]", "B", None),
    ("[a-c]x", "[b-d]x", "bx"),
    ("[0-9]*", "7up", "7up"),
    ("[0-9]*", "up7", None),
    ("[a-]", "-", "-"),
    ("[-a]", "-", "-"),
    ("[]a]", "]", "]"),
    ("[]a]", "a", "a"),
    ("[!]a]", "]", None),
    ("[!]a]", "b", "b"),
    ("[z-a]", "*", None),
    ("[z-a]", "[z-a]", None),
    ("x[a!]", "x!", "x!"),
    ("[*]", "*x", None),
    ("[?]", "a", None),
    ("[.]env", ".env", ".env"),
    ("[.]", "?", None),
    ("[.][.]", "*", None),
    ("[!a]*", ".env", ".env"),
    ("[à-ü]", "é", "é"),
    ("[à-ü]", "e", None),
    ("x[", "x[", "x["),
    ("x[a", "x?a", "x[a"),
    ("lib/[id]/page.tsx", "lib/i/page.tsx", "lib/i/page.tsx"),
    ("lib/[id]/page.tsx", "lib/[[]id]/page.tsx", None),
    ("lib/*/page.tsx", "lib/[[]id]/page.tsx", "lib/[id]/page.tsx"),
    ("lib/[[]id]", "lib/?id?/new", "lib/[id]/new"),
]
BRACES = [
    ("{a,b}", "a", "a"),
    ("{a,b}", "b/c", "b/c"),
    ("{a,b}", "c", None),
    ("{a,b}/x", "b/x", "b/x"),
    ("{a,b}/x", "{b,c}/x", "b/x"),
    ("{a,b}/x", "{c,d}/x", None),
    ("x{,y}", "x", "x"),
    ("x{,y}", "xy", "xy"),
    ("x{,y}", "xz", None),
    ("*.{py,md}", "x.md", "x.md"),
    ("*.{py,md}", "x.rs", None),
    ("*.{py,md}", "*.{rs,md}", "x.md"),
    ("{a,{b,c}}d", "cd", "cd"),
    ("{a,{b,c}}d", "c", None),
    ("{a/b,c}/d", "a/b/d", "a/b/d"),
    ("{a/b,c}/d", "b/d", None),
    ("{src,docs}/**", "docs/new", "docs/new"),
    ("{.,new}/q", "q", "q"),
    ("a{b}c{d,e}", "a{b}cd", "a{b}cd"),
]
TABLE = LITERALS + STARS + FOLDERS + CLASSES + BRACES


def test_the_table_is_as_long_as_it_should_be():
    assert len(TABLE) == len(set(TABLE)) >= 150


@pytest.mark.parametrize(("one", "other", "shared"), TABLE)
def test_a_pair_of_writers(tree, one, other, shared):
    said = [check_pair(tree, "w", [one], "w", [other]), check_pair(tree, "w", [other], "w", [one])]
    assert [verdict.verdict for verdict in said] == ["ok" if shared is None else "conflict"] * 2
    witnesses = {verdict.witness for verdict in said} | {shared}
    for scope in (resolve_scope(tree, [one]), resolve_scope(tree, [other])):
        assert all(covers(scope, str(tree / witness)) for witness in witnesses if witness is not None)


@pytest.mark.parametrize(
    ("one", "other", "witness"),
    [
        ("src/**/*.py", "src/a/*", "src/a/x.py"),
        ("src", "src/a/x.py", "src/a/x.py"),
        ("new/**", "n*/**", "new"),
        ("src/*", "src/main.py", "src/main.py"),
        ("src/*.py", "src/.*", "src/.py"),
        ("src/*", "src/a/q", "src/a/q"),
        (".", "src/..", "."),
    ],
)
def test_the_witness_is_a_path_that_a_person_would_name(tree, one, other, witness):
    assert check_pair(tree, "w", [one], "w", [other]).witness == witness


@pytest.mark.parametrize("text", sorted({text for one, other, _ in TABLE for text in (one, other)}))
def test_a_scope_clashes_with_itself_and_not_with_nothing(tree, text):
    scope, nothing = resolve_scope(tree, [text]), resolve_scope(tree, [])
    assert scope.problems == ()
    assert (clash(scope, scope) is not None) is (text not in ("[z-a]", "[.]", "[.][.]"))
    assert clash(scope, nothing) is None
    assert clash(nothing, scope) is None
