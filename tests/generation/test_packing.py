from hypothesis import given
from hypothesis import strategies as st

from hybrid.generation.prompts import pack
from hybrid.types import Chunk, Hit


def hit(text, start=0):
    return Hit(Chunk("a.txt", 0, start, start + len(text), text, ("Title",)), 1.0)


def words(passages):
    return sum(len(passage.text.split()) for passage in passages)


def test_whole_chunks_come_first_by_rank_and_the_rest_is_filled_with_a_part():
    hits = [
        hit("one two three."),
        hit("Cats sleep all day long. Dogs bark all night long. Birds sing every single day."),
        hit("six seven."),
    ]
    packed = pack(hits, words, 12)
    assert [p.text for p in packed] == ["one two three.", "six seven.", "Cats sleep all day long."]
    assert [p.number for p in packed] == [1, 2, 3]


def test_a_first_chunk_that_is_too_long_is_cut_after_a_sentence():
    packed = pack([hit("Cats sleep here. Dogs bark here. Birds sing here.", start=50)], words, 7)
    (passage,) = packed
    assert passage.text == "Cats sleep here. Dogs bark here."
    assert (passage.span.start, passage.span.end) == (50, 82)


def test_nothing_fits():
    assert pack([hit("far too long a sentence")], words, 2) == []


@given(st.lists(st.text(alphabet="ab .", min_size=1, max_size=60), max_size=6), st.integers(1, 30))
def test_the_budget_is_never_exceeded_and_text_is_a_prefix_of_its_chunk(texts, budget):
    hits = [hit(text) for text in texts]
    packed = pack(hits, words, budget)
    assert words(packed) <= budget
    assert [p.number for p in packed] == list(range(1, len(packed) + 1))
    assert all(any(h.chunk.text.startswith(p.text) for h in hits) for p in packed)
