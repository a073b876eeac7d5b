"""The rules of blocking queries. https://developer.hashicorp.com/consul/api-docs/features/blocking"""

from gossamer_mesh.consul.blocking import Backoff, BlockingQuery, TokenBucket


def test_the_first_question_does_not_wait_and_its_answer_is_a_change():
    query = BlockingQuery[str]()
    assert query.index == 0
    assert query.answered(7, "a")
    assert query.index == 7


def test_a_return_is_not_a_change():
    query = BlockingQuery[str]()
    query.answered(7, "a")
    assert not query.answered(8, "a")
    assert query.index == 8
    assert query.answered(9, "b")


def test_an_index_that_goes_backwards_starts_again_from_0():
    query = BlockingQuery[str]()
    query.answered(7, "a")
    query.answered(3, "b")
    assert query.index == 0
    query.answered(3, "b")
    assert query.index == 3


def test_an_index_that_is_not_positive_is_not_waited_behind():
    query = BlockingQuery[str]()
    query.answered(0, "a")
    assert query.index == 0


def test_what_is_done_seldom_is_not_delayed():
    bucket = TokenBucket(rate=10, burst=2)
    assert [bucket.take(second) for second in (0, 1, 2, 3)] == [0, 0, 0, 0]


def test_a_burst_is_not_delayed_and_what_follows_is():
    bucket = TokenBucket(rate=10, burst=2)
    assert [round(bucket.take(5.0), 3) for _ in range(4)] == [0, 0, 0.1, 0.2]


def test_a_rest_fills_no_more_than_a_burst():
    bucket = TokenBucket(rate=10, burst=2)
    bucket.take(0)
    assert [round(bucket.take(1000.0), 3) for _ in range(3)] == [0, 0, 0.1]


def test_delays_grow_to_a_limit_and_start_again():
    backoff = Backoff(first=0.1, factor=2, most=0.5)
    assert [round(backoff.failed(0.5), 3) for _ in range(5)] == [0.1, 0.2, 0.4, 0.5, 0.5]
    backoff.worked()
    assert round(backoff.failed(0.5), 3) == 0.1


def test_delays_are_spread_by_a_fifth_either_way():
    assert round(Backoff(first=1).failed(0), 3) == 0.8
    assert round(Backoff(first=1).failed(1), 3) == 1.2


def test_the_first_answer_is_a_change_though_there_is_nothing():
    query = BlockingQuery[None]()
    assert query.answered(7, None)
    assert not query.answered(8, None)
