"""The tail of an output, however it comes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from longshore_server.hooks import OutputTail

KEPT_BYTES = 16 << 10


def tail(*pieces: bytes) -> OutputTail:
    output = OutputTail()
    for piece in pieces:
        output.add(piece)
    return output


@given(st.lists(st.binary(max_size=50)))
def test_small_outputs_are_whole(pieces: list[bytes]) -> None:
    output, everything = tail(*pieces), b"".join(pieces)
    lines = everything.decode(errors="replace").replace("\0", "�").split("\n")
    unfinished = lines.pop()
    finished = [line.rstrip("\r") for line in lines]
    assert output.lines(whole=False) == finished[-200:]
    assert output.line_count(whole=False) == len(finished)
    whole = [*finished, unfinished.rstrip("\r")] if unfinished else finished
    assert output.lines(whole=True) == whole[-200:]
    assert output.line_count(whole=True) == len(whole)
    assert output.size_bytes == len(everything)


@given(
    st.lists(st.text(st.characters(exclude_characters="\n\r\0"), max_size=400), min_size=150, max_size=400)
)
def test_of_large_ones_the_last_lines(lines: list[str]) -> None:
    output = tail(*(f"{line}\n".encode(errors="surrogatepass") for line in lines))
    kept = output.lines(whole=True)
    assert len(kept) <= 200
    # What is not UTF-8 becomes longer.
    assert sum(len(line.encode()) + 1 for line in kept) <= 3 * KEPT_BYTES
    written = [line.encode(errors="surrogatepass").decode(errors="replace") for line in lines]
    assert kept == written[len(written) - len(kept) :]
    assert output.line_count(whole=True) == len(lines)


def test_one_line_without_an_end() -> None:
    output = tail(*[b"x" * 1000] * 100)
    assert output.lines(whole=False) == []
    assert output.lines(whole=True) == ["x" * KEPT_BYTES]
    assert output.line_count(whole=True) == 1


def test_where_it_was_cut_no_line_begins() -> None:
    output = tail(b"a" * KEPT_BYTES, b"\nlast\n")
    assert output.lines(whole=True) == ["last"]
    assert output.line_count(whole=True) == 2


def test_lines_of_the_nodes_own() -> None:
    output = OutputTail()
    output.say("healthy")
    assert output.lines(whole=False) == ["healthy"]
