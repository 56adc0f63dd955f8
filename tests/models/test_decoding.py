"""Continuous batching: whoever asks meanwhile, and whoever leaves, changes no answer."""

import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybrid.errors import ModelError
from hybrid.models.cancelling import GivenUp, Patience, require_patience
from hybrid.models.generator import TransformersGenerator
from hybrid.types import Message, MessageRole

# tokens of an answer, and so many times a stream is read to its end: a piece a token, a rest, the whole
_MOST, _TURNS = 12, 15


def _ask(number):
    return [Message(MessageRole.USER, f"Question {'very ' * number}long, number {number}?")]


@pytest.fixture
def generator(tiny_generator_folder, cpu):
    return TransformersGenerator(tiny_generator_folder, name="tiny", placement=cpu)


@pytest.fixture(scope="module")
def alone(tiny_generator):
    """What each is answered with when nobody else asks."""
    return [tiny_generator.generate([_ask(number)], max_new_tokens=_MOST)[0] for number in range(8)]


def _left(generator):
    """Return how many rows the decoder still has, after a step."""
    generator.generate([_ask(0)], max_new_tokens=1)
    decoder = generator._decoder
    return len(decoder._waiting) + len(decoder._writing) + (decoder._reading is not None)


@pytest.mark.slow
@pytest.mark.parametrize(("stretch", "rows"), [(256, 64), (16, 64), (16, 3)])
def test_what_threads_ask_at_any_time_is_answered_as_it_is_alone(
    generator, alone, stretch, rows, monkeypatch
):
    monkeypatch.setattr("hybrid.models.decoding.BATCH_ROWS", rows)
    generator._decoder._stretch = stretch
    chance = random.Random(stretch + rows)
    waits = [(number % 8, chance.random() / 20) for number in range(32)]

    def ask(number, seconds):
        time.sleep(seconds)
        *pieces, whole = generator.stream(_ask(number), max_new_tokens=_MOST)
        return "".join(pieces), whole

    with ThreadPoolExecutor(12) as threads:
        found = list(threads.map(lambda one: ask(*one), waits))
    assert found == [(alone[number].text, alone[number]) for number, _ in waits]
    assert not _left(generator)


@pytest.mark.slow
@given(st.lists(st.tuples(st.integers(0, 7), st.integers(0, 2 * _MOST)), min_size=1, max_size=6))
def test_streams_read_in_turn_and_left_at_any_piece_change_no_other(tiny_generator, alone, asked):
    streams = [tiny_generator.stream(_ask(number), max_new_tokens=_MOST) for number, _ in asked]
    read = [[] for _ in asked]
    for turn in range(_TURNS):
        for place, (_, leaves) in enumerate(asked):
            if turn == leaves:
                streams[place].close()
            read[place] += [next(streams[place], None)]
    for (number, leaves), parts in zip(asked, read, strict=True):
        pieces = [part for part in parts if isinstance(part, str)]
        assert alone[number].text.startswith("".join(pieces))
        assert leaves < _TURNS or alone[number] in parts
    assert not _left(tiny_generator)


@pytest.mark.slow
@pytest.mark.parametrize("stretch", [256, 4])  # left while it is written, and while it is read
def test_who_has_left_is_let_go_within_a_second_and_the_others_go_on(generator, alone, stretch):
    generator._decoder._stretch = stretch
    patience, ended = Patience(), []
    step, begun = generator._decoder._forward, threading.Event()

    def slow(*given, **options):
        begun.set()
        time.sleep(0.02)
        return step(*given, **options)

    generator._decoder._forward = slow

    def ask():
        with patience.held(), pytest.raises(GivenUp):
            generator.generate([_ask(7)], max_new_tokens=150)
        ended.append(time.monotonic())

    leaving = threading.Thread(target=ask)
    leaving.start()
    assert begun.wait(5)
    left = time.monotonic()
    patience.give_up()
    assert generator.generate([_ask(1)], max_new_tokens=_MOST) == [alone[1]]
    leaving.join(5)
    assert ended[0] - left < 1
    assert not _left(generator)


@pytest.mark.slow
def test_a_batch_that_never_empties_does_not_grow(generator):
    streams = [generator.stream(_ask(0), max_new_tokens=8)]
    widths = []
    for _ in range(12):
        next(streams[-1])
        streams.append(generator.stream(_ask(0), max_new_tokens=8))
        next(streams[-1])
        list(streams[-2])
        widths.append(generator._decoder._writing[0].mask.shape[1])
    assert max(widths[2:]) <= widths[1] + 8


@pytest.mark.slow
def test_what_fails_is_told_to_all_that_were_in_it_and_to_nobody_after(generator, alone, monkeypatch):
    with monkeypatch.context() as broken:
        broken.setattr(generator._decoder, "_forward", _failing)
        with ThreadPoolExecutor(3) as threads:
            asked = [threads.submit(generator.generate, [_ask(n)], max_new_tokens=4) for n in range(3)]
        assert all(isinstance(one.exception(), ModelError) for one in asked)
    assert generator.generate([_ask(2)], max_new_tokens=_MOST) == [alone[2]]


def _failing(*_, **__):
    raise ModelError("the model is gone")


def test_without_somebody_who_may_leave_there_is_patience():
    require_patience()
    patience = Patience()
    with patience.held():
        require_patience()
        patience.give_up()
        with pytest.raises(GivenUp):
            require_patience()
    require_patience()
