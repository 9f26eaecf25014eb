from __future__ import annotations

from tasks.doors.build_output import BLOCK_LINES, LOGGED_BYTES, LONGEST_LINE, BuildOutput


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_lines_that_come_together_are_written_together() -> None:
    written: list[str] = []
    clock = Clock()
    log = BuildOutput(written.append, clock)
    log.feed(b"first\n")
    for number in range(10):
        log.feed(b"line %d\n" % number)
    assert written == ["first"]
    clock.now += 1
    log.feed(b"last\n")
    assert written[1].splitlines() == [*(f"line {number}" for number in range(10)), "last"]


def test_many_lines_are_not_held_back() -> None:
    written: list[str] = []
    log = BuildOutput(written.append, Clock())
    log.feed(b"first\n")
    log.feed(b"x\n" * BLOCK_LINES)
    assert len(written) == 2


def test_a_line_that_comes_in_pieces_and_has_no_end_is_whole() -> None:
    written: list[str] = []
    log = BuildOutput(written.append, Clock())
    log.feed(b"caf")
    log.feed("é".encode()[:1])
    log.feed("é".encode()[1:])
    log.close()
    assert written == ["café"]
    assert list(log.output) == ["café"]


def test_a_line_without_end_is_cut() -> None:
    written: list[str] = []
    log = BuildOutput(written.append, Clock())
    for _ in range(100):
        log.feed(b"x" * LONGEST_LINE)
    assert all(len(line) <= LONGEST_LINE for line in "\n".join(written).split("\n"))


def test_endless_output_is_not_logged_and_its_end_is_known_nevertheless() -> None:
    written: list[str] = []
    log = BuildOutput(written.append, Clock())
    for _ in range(2 * LOGGED_BYTES // 1000):
        log.feed(b"y" * 999 + b"\n")
    log.feed(b"the end\n")
    log.close()
    assert sum(map(len, written)) < 1.1 * LOGGED_BYTES
    assert "not logged" in written[-1]
    assert log.output[-1] == "the end"


def test_the_two_streams_are_logged_together_and_remembered_apart() -> None:
    written: list[str] = []
    log = BuildOutput(written.append, Clock())
    log.feed(b"a pack")
    log.feed_errors(b"a cause\n")
    log.feed(b"age\n")
    log.close()
    assert "\n".join(written).splitlines() == ["a cause", "a package"]
    assert (log.output, log.errors) == (("a package",), ("a cause",))
