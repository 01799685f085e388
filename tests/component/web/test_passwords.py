"""Passwords: right and wrong ones, strangers, floods."""

import asyncio
import base64
import os
import threading

import bcrypt
import pytest

from monitor.web import passwords
from monitor.web.passwords import MOST_CHECKS, Checker, Passwords, Verdict
from tests.component.web.servers import PATIENT, until

COST = 4


def hashed(password: str, cost: int = COST) -> str:
    """Return a hash that is quick to check."""
    return bcrypt.hashpw(password.encode(), bcrypt.gensalt(cost)).decode()


def basic(user: str, password: str) -> str:
    """Return the header that RFC 7617 asks for."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


class Counted:
    """Checks, and remembers against what."""

    def __init__(self) -> None:
        self.hashes: list[bytes] = []

    def __call__(self, password: bytes, hashed: bytes) -> bool:
        """Check one."""
        self.hashes.append(hashed)
        return bcrypt.checkpw(password, hashed)


USERS = {"alice": hashed("open sesame"), "bob": hashed("pässword")}


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Counted:
    """A check that counts, and no rest after wrong ones."""
    monkeypatch.setattr(passwords, "REST", 0.0)
    return Counted()


@pytest.fixture
async def users(counted: Counted) -> Passwords:
    """Two users."""
    return Passwords(USERS, Checker(counted))


async def test_right_and_wrong(users: Passwords) -> None:
    """By user and password together."""
    assert await users.judge("c", basic("alice", "open sesame")) is Verdict.RIGHT
    assert await users.judge("c", basic("bob", "pässword")) is Verdict.RIGHT
    assert await users.judge("c", basic("alice", "pässword")) is Verdict.WRONG
    assert await users.judge("c", basic("alice", "")) is Verdict.WRONG
    assert await users.judge("c", basic("nobody", "open sesame")) is Verdict.WRONG


@pytest.mark.parametrize(
    "header",
    [None, "", "Basic", "Basic !", "Bearer abc", "Basic YQ==", "Basic /////w==", "Digest a=b"],
)
async def test_no_proper_header_is_wrong(
    users: Passwords, counted: Counted, header: str | None
) -> None:
    """And costs nothing."""
    assert await users.judge("c", header) is Verdict.WRONG
    assert counted.hashes == []


async def test_a_right_password_is_checked_once(users: Passwords, counted: Counted) -> None:
    """A scrape every second must not cost a check each. Wrong ones do."""
    for _ in range(3):
        assert await users.judge("c", basic("alice", "open sesame")) is Verdict.RIGHT
    assert len(counted.hashes) == 1
    for _ in range(3):
        assert await users.judge("c", basic("alice", "wrong")) is Verdict.WRONG
    assert len(counted.hashes) == 4
    assert await users.judge("c", basic("bob", "open sesame")) is Verdict.WRONG


async def test_a_stranger_costs_as_much_as_a_user(counted: Counted) -> None:
    """Or the time would tell who is one; also where users' hashes differ in cost."""
    users = Passwords({"alice": hashed("a", 4), "bob": hashed("b", 5)}, Checker(counted))
    for number in range(40):
        assert await users.judge("c", basic(f"stranger {number}", "a")) is Verdict.WRONG
    costs = [value.split(b"$")[2] for value in counted.hashes]
    assert set(costs) == {b"04", b"05"}
    again = len(counted.hashes)
    for _ in range(5):
        await users.judge("c", basic("stranger 1", "b"))
    assert len(set(counted.hashes[again:])) == 1


@pytest.mark.parametrize("form", ["2a", "2b", "2y"])
async def test_every_usual_form_of_hash(form: str) -> None:
    """One tool writes 2y, Python 2b, older ones 2a."""
    users = Passwords({"a": f"${form}" + hashed("x")[3:]}, Checker())
    assert await users.judge("c", basic("a", "x")) is Verdict.RIGHT


async def test_only_72_bytes_count(users: Passwords) -> None:
    """As for the tools that made the hash: bcrypt looks at no more."""
    long = "x" * 72
    users = Passwords({"a": hashed(long)}, Checker())
    assert await users.judge("c", basic("a", long + "more")) is Verdict.RIGHT
    assert await users.judge("c", basic("a", long[:-1])) is Verdict.WRONG


class Held:
    """A check that takes until it is let go."""

    def __init__(self) -> None:
        self.begun = 0
        self.priority = 0
        self.gate = threading.Event()

    def __call__(self, _: bytes, __: bytes) -> bool:
        """Wait, then refuse."""
        self.begun += 1
        self.priority = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
        assert self.gate.wait(PATIENT)
        return False


async def test_a_flood_is_refused_and_leaves_room_for_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One check at a time, few that wait, and only one of them each client's."""
    monkeypatch.setattr(passwords, "REST", 0.0)
    held = Held()
    users = Passwords(USERS, Checker(held))

    async def ask(client: int, number: int) -> Verdict:
        return await users.judge(str(client), basic("alice", f"guess {number}"))

    flood = [asyncio.create_task(ask(0, number)) for number in range(20)]
    await until(lambda: sum(task.done() for task in flood) == 19)
    assert {task.result() for task in flood if task.done()} == {Verdict.BUSY}
    others = [asyncio.create_task(ask(client, 0)) for client in range(1, MOST_CHECKS + 5)]
    await until(lambda: sum(task.done() for task in others) == 5)
    await until(lambda: held.begun == 1)
    held.gate.set()
    verdicts = await asyncio.gather(*flood, *others)
    assert verdicts.count(Verdict.WRONG) == MOST_CHECKS == held.begun


async def test_checks_give_way_to_everything_else() -> None:
    """The thread that checks has the least priority; the others keep theirs."""
    held = Held()
    held.gate.set()
    await Passwords(USERS, Checker(held)).judge("c", basic("alice", "x"))
    assert held.priority == 19
    assert os.getpriority(os.PRIO_PROCESS, threading.get_native_id()) == 0


async def test_guessing_has_to_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a wrong password the next check waits; a user who is known does not."""
    monkeypatch.setattr(passwords, "REST", 1e9)
    users = Passwords(USERS, Checker())
    await users.judge("c", basic("alice", "open sesame"))
    assert await users.judge("c", basic("alice", "wrong")) is Verdict.WRONG
    next_one = asyncio.create_task(users.judge("c", basic("alice", "wrong")))
    assert await users.judge("c", basic("alice", "open sesame")) is Verdict.RIGHT
    assert not (await asyncio.wait({next_one}, timeout=0.3))[0]
    next_one.cancel()
