"""How is one request sent and its answer read, and sent again while the server cannot serve it?"""

import random
import time
from collections.abc import Sequence

import httpx
import msgspec

from engine.adapters.runner import faults
from engine.adapters.runner.bill import Bill
from engine.adapters.runner.faults import Again, Declined, Fault, Malformed, Unavailable
from engine.adapters.runner.job import Job
from engine.adapters.runner.out import tell, undisturbed
from engine.adapters.runner.refusal import refusal
from engine.adapters.runner.retry import pause_s
from engine.adapters.runner.talk import Answer, Message
from engine.adapters.runner.wire import Decoder
from engine.adapters.runner.wires import WIRES
from engine.contract.progress import Noted

CONNECT_S = 10.0
SHOW_S = 1.0
"""How often the usage of an answer that comes is put out."""
MOST_BYTES = 32 * 1024 * 1024
"""Of one answer, as it comes."""


class Asker:
    """The server of a job."""

    def __init__(self, job: Job, key: str, bill: Bill) -> None:
        self._job = job
        self._key = key
        self._wire = WIRES[job.api]
        self._bill = bill
        self._decoder: Decoder | None = None
        self._shown_s = 0.0
        self._client = client(job)

    @property
    def so_far(self) -> Answer | None:
        """What has come of an answer that is not whole; None when none is on its way."""
        return self._decoder.answer if self._decoder is not None else None

    def ask(self, messages: Sequence[Message], earlier: int) -> Answer:
        """The model's answer, whole. Raises Fault."""
        body = msgspec.json.encode(self._wire.body(self._job, messages, earlier))
        started, tried = time.monotonic(), 0
        while True:
            tried += 1
            try:
                return self._once(body)
            except Again as again:
                spent = time.monotonic() - started
                pause = pause_s(self._job.retries, tried, again.after_s, spent, random.random())
                if pause is None:
                    raise Unavailable(f"{again} ({_times(tried)})") from None
                tell([Noted("retry", f"{again}; it is asked again in {pause:.1f} s")])
                time.sleep(pause)

    def stop(self) -> None:
        """Nothing more is asked: what an answer on its way has cost is booked."""
        if self._decoder is not None:
            self._bill.close(self._decoder.answer)
        self._client.close()

    def _once(self, body: bytes) -> Answer:
        decoder = self._decoder = self._wire.decoder()
        self._bill.open(len(body))
        try:
            self._stream(body, decoder)
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            raise self._free(Again(f"{self._job.base_url} cannot be reached: {_said(error)}")) from None
        except (httpx.HTTPError, httpx.InvalidURL, Malformed, Declined) as error:
            if decoder.answer.stop == "cut":  # else all of it was there
                raise self._broken(error, decoder.answer) from None
        except Fault as fault:
            raise self._free(fault) from None
        if decoder.answer.stop == "cut":
            raise self._broken(EOFError("it ended before the answer did"), decoder.answer)
        return self._close(decoder.answer, asked=True)

    def _close(self, answer: Answer, *, asked: bool) -> Answer:
        with undisturbed():
            self._decoder = None
            self._bill.close(answer, asked=asked)
        return answer

    def _free(self, fault: Fault) -> Fault:
        """The server did nothing for this request."""
        with undisturbed():
            self._decoder = None
            self._bill.close_free()
        return fault

    def _stream(self, body: bytes, decoder: Decoder) -> None:
        splitter, size = self._wire.splitter(), 0
        headers = self._wire.headers(self._key) | {"content-type": "application/json", "accept-encoding": "identity"}
        url = self._job.base_url + self._wire.path
        with self._client.stream("POST", url, content=body, headers=headers) as response:
            if response.status_code != 200:
                raise refusal(response, self._key)
            for chunk in response.iter_bytes():
                size += len(chunk)
                if size > MOST_BYTES:
                    raise Malformed(f"its answer has more than {MOST_BYTES:,} bytes")
                self._take(splitter.feed(chunk), decoder)
            self._take(splitter.end(), decoder)

    def _take(self, frames: Sequence[bytes], decoder: Decoder) -> None:
        heard = []
        try:
            for frame in frames:
                heard += decoder.take(frame)
        finally:
            tell(heard)
        if frames and time.monotonic() >= self._shown_s + SHOW_S:
            self._shown_s = time.monotonic()
            self._bill.show(decoder.answer)

    def _broken(self, error: Exception, answer: Answer) -> Fault:
        """What an answer that broke off means; as far as it came, it is billed."""
        fault = _fault(error, self._job, begun=bool(answer.blocks))
        self._close(answer, asked=not isinstance(fault, Again))
        return fault


def _fault(error: Exception, job: Job, *, begun: bool) -> Fault:
    """Only what has not begun to answer is asked again: otherwise what was said would be said twice."""
    if isinstance(error, Declined):
        passing = error.kind in faults.PASSING
        kind = (Unavailable if begun else Again) if passing else Fault
        return kind(f"the provider broke off: {error}")
    if isinstance(error, Malformed):
        return Fault(str(error))
    if isinstance(error, httpx.TimeoutException):
        return Unavailable(f"the server was silent for {job.idle_s:g} s")
    if isinstance(error, httpx.NetworkError | httpx.RemoteProtocolError | EOFError):
        return (Unavailable if begun else Again)(f"the connection was cut: {_said(error)}")
    return Fault(f"it cannot be asked: {_said(error)}")


def client(job: Job) -> httpx.Client:
    """Certificates take long to load, and are needed only where they are looked at."""
    timeout = httpx.Timeout(job.idle_s, connect=CONNECT_S)
    return httpx.Client(timeout=timeout, verify=job.base_url.startswith("https:"))


def _said(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__


def _times(tried: int) -> str:
    return "asked once" if tried == 1 else f"asked {tried} times"
