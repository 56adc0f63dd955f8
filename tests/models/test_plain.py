"""The BERT in NumPy beside what else uses BLAS."""

import threading

import numpy as np
import pytest
from threadpoolctl import ThreadpoolController

from hybrid.models import plain


def threads():
    """How many threads NumPy's BLAS may use now."""
    return [one["num_threads"] for one in ThreadpoolController().select(threading_layer="pthreads").info()]


@pytest.fixture
def had():
    """Return how many threads there are before anybody reads."""
    found = threads()
    if set(found) <= {1}:
        pytest.skip("this BLAS has no second thread")
    return found


def test_blas_gets_back_its_threads_when_the_last_of_several_readers_is_done(had):
    inside, leave = threading.Barrier(3), [threading.Event(), threading.Event()]

    def read(number):
        with plain._ONE_THREAD:
            inside.wait()
            leave[number].wait()

    readers = [threading.Thread(target=read, args=(number,), daemon=True) for number in range(2)]
    for reader in readers:
        reader.start()
    inside.wait()
    assert set(threads()) == {1}
    leave[0].set()
    readers[0].join()
    assert set(threads()) == {1}, "the other one still reads"
    leave[1].set()
    readers[1].join()
    assert threads() == had


def test_blas_gets_back_its_threads_after_an_error(had):
    with pytest.raises(ZeroDivisionError), plain._ONE_THREAD:
        np.divide(1, 1 // 0)
    assert threads() == had
