"""Few items are in memory, however many there are, and all of them come in order."""

from concurrent.futures import ThreadPoolExecutor
from itertools import count

from farm.client.ahead import worked_ahead


def test_few_items_are_in_memory_however_many_there_are():
    numbers = count()
    with ThreadPoolExecutor(2) as pool:
        done = worked_ahead(pool, lambda number: number * 2, numbers, 64)
        found = [(item, future.result()) for item, future in (next(done) for _ in range(1000))]
    assert found == [(k, 2 * k) for k in range(1000)]
    assert next(numbers) == 1000 + 64 - 1


def test_the_last_items_come_too():
    with ThreadPoolExecutor(2) as pool:
        done = worked_ahead(pool, str, range(3), 64)
        assert [(item, future.result()) for item, future in done] == [(0, "0"), (1, "1"), (2, "2")]
