"""How does one turn go? The model is asked; while it wants tools they are used and it is asked again; it is kept."""

from engine.adapters.runner.asking import Asker
from engine.adapters.runner.bill import Bill
from engine.adapters.runner.faults import Fault, NoConversation, Unavailable
from engine.adapters.runner.history import History
from engine.adapters.runner.job import Job
from engine.adapters.runner.lines import Ended
from engine.adapters.runner.out import Stopped, tell, undisturbed
from engine.adapters.runner.talk import Answer, Block, Call, Message, Result, Text
from engine.adapters.runner.tools import Tools, what
from engine.contract.progress import Began, Noted, ToolDone, ToolUse

WHY = {
    "refusal": "the model refused to answer",
    "length": "the answer was cut at its longest before the tools that it wants were named in full",
}


class Turn:
    """One turn of a conversation."""

    def __init__(self, job: Job, key: str) -> None:
        self._job = job
        self._history = History(job)
        self._asker = Asker(job, key, Bill(lambda used: tell([used])))
        self._tools = Tools(job)
        self._uses = 0
        self._kept = False
        self._said = [Message("user", tuple(Text(part.text, part.stable) for part in job.message))]

    def take(self) -> Ended:
        """Take it, and keep it."""
        tell([Began(self._job.conversation, self._job.model)])
        try:
            return self._ended(self._answer())
        except Stopped:
            return self._interrupted()
        finally:
            with undisturbed():
                self._asker.stop()

    def _answer(self) -> Answer:
        """The last one, which wants no tools."""
        earlier = len(self._history.messages)
        for _ in range(min(self._job.rounds + 1, self._job.stop_turns or self._job.rounds + 1)):
            answer = self._asker.ask((*self._history.messages, *self._said), earlier)
            self._said.append(Message("assistant", answer.blocks))
            if answer.stop != "calls":
                return answer
            self._said.append(self._results(answer.calls))
        return answer

    def _ended(self, answer: Answer) -> Ended:
        if answer.stop == "calls":
            self._keep(whole=False)
            return Ended(False, self._too_often())
        if answer.stop in WHY and (answer.stop == "refusal" or answer.calls):
            return Ended(False, WHY[answer.stop])
        if answer.stop == "length":
            tell([Noted("warning", f"the answer was cut at its longest, {self._job.output_tokens:,} tokens")])
        self._keep(whole=True)
        return Ended(True)

    def _too_often(self) -> str:
        most = self._job.stop_turns
        if most is None or most > self._job.rounds:
            return f"it wanted tools again after {self._job.rounds} rounds of them"
        return f"it may ask its model {most} time{'s' * (most != 1)}, and would ask it again"

    def _results(self, calls: tuple[Call, ...]) -> Message:
        return Message("results", tuple(self._use(call) for call in calls))

    def _use(self, call: Call) -> Result:
        self._uses += 1
        tell([ToolUse(str(self._uses), call.name, what(call))])
        result = self._tools.use(call)
        first = result.text.partition("\n")[0][:200]
        tell([ToolDone(str(self._uses), result.ok, first)])
        return result

    def _interrupted(self) -> Ended:
        """What was said so far is kept, so that it can go on."""
        if self._kept:
            return Ended(True)
        answer = self._asker.so_far
        words: tuple[Block, ...] = tuple(one for one in answer.blocks if isinstance(one, Text)) if answer else ()
        if words:
            self._said.append(Message("assistant", words))
        elif any(isinstance(block, Call) for block in self._said[-1].blocks):
            self._said.pop()  # its tools were not used to the end
        self._keep(whole=False)
        return Ended(False, "it was told to end")

    def _keep(self, *, whole: bool) -> None:
        with undisturbed():
            self._history.add(tuple(self._said), whole=whole)
            self._kept = True


def take(job: Job, key: str) -> Ended:
    """The turn, whatever becomes of it. The key never stands in what is said of that, though a server may repeat it."""
    try:
        return Turn(job, key).take()
    except Fault as fault:
        why = str(fault).replace(key, "[key]") if key else str(fault)
        refused, unavailable = isinstance(fault, NoConversation), isinstance(fault, Unavailable)
        return Ended(False, why, resume_refused=refused, unavailable=unavailable)
