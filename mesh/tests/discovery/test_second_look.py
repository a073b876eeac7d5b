"""Which removals wait for a second look, which never do, and how the wait ends. Times are given, nothing waits."""

from gossamer_mesh.discovery.second_look import Held, SecondLook
from gossamer_mesh.model import Entries, Health, Instance, Mesh, Service


def instance(id_, health=Health.PASSING):
    return Instance(id=id_, host="10.0.0.1", port=int(id_[1:]) or 1, health=health)


def mesh(**services):
    """A mesh as `catalog="c1 c2! c3~"`: `!` is critical, `~` is in maintenance."""
    marks = {"!": Health.CRITICAL, "~": Health.MAINTENANCE}
    return Mesh.of(
        Service.of(name, [instance(id_.rstrip("!~"), marks.get(id_[-1], Health.PASSING)) for id_ in ids.split()])
        for name, ids in services.items()
    )


def believing(**services):
    second_look = SecondLook(delay=8, window=3)
    second_look.decide(mesh(**services), 0)
    return second_look


def shown(decision, service="catalog"):
    """The callable instances that are believed in."""
    return " ".join(each.id for each in decision.mesh.services[service].instances if each.callable)


def test_the_first_reading_is_believed():
    decision = SecondLook().decide(mesh(catalog="c1! c2!"), 0)
    assert shown(decision) == ""
    assert decision.held == ()


def test_one_crashed_instance_of_two_leaves_at_once():
    decision = believing(catalog="c1 c2").decide(mesh(catalog="c1 c2!"), 1)
    assert shown(decision) == "c1"
    assert decision.look_at is None


def test_one_deregistered_instance_of_two_leaves_at_once():
    assert shown(believing(catalog="c1 c2").decide(mesh(catalog="c1"), 1)) == "c1"


def test_the_only_instance_of_a_service_leaves_at_once():
    assert shown(believing(catalog="c1", orders="o1 o2").decide(mesh(catalog="c1!", orders="o1 o2"), 1)) == ""


def test_two_of_five_leave_at_once():
    assert shown(believing(catalog="c1 c2 c3 c4 c5").decide(mesh(catalog="c1 c2 c3 c4! c5!"), 1)) == "c1 c2 c3"


def test_all_of_two_are_held():
    decision = believing(catalog="c1 c2").decide(mesh(catalog="c1! c2!"), 1)
    assert shown(decision) == "c1 c2"
    assert decision.held == (Held(service="catalog", before=2, after=0),)
    assert decision.look_at == 9


def test_three_of_six_are_held():
    decision = believing(catalog="c1 c2 c3 c4 c5 c6").decide(mesh(catalog="c1 c2 c3 c4! c5!"), 1)
    assert shown(decision) == "c1 c2 c3 c4 c5 c6"
    assert decision.held == (Held(service="catalog", before=6, after=3),)


def test_half_of_the_whole_mesh_is_held_though_each_service_loses_one():
    before = {"catalog": "c1 c2", "orders": "o1 o2", "tax": "t1 t2"}
    decision = believing(**before).decide(mesh(catalog="c1 c2!", orders="o1 o2!", tax="t1 t2!"), 1)
    assert [shown(decision, name) for name in before] == ["c1 c2", "o1 o2", "t1 t2"]


def test_a_mesh_that_vanishes_is_held():
    decision = believing(catalog="c1", orders="o1").decide(Mesh(), 1)
    assert (shown(decision), shown(decision, "orders")) == ("c1", "o1")


def test_everything_that_a_restarted_source_lacks_is_held():
    decision = believing(catalog="c1").decide(Mesh(), 1, restarted=True)
    assert shown(decision) == "c1"


def test_losses_shortly_after_each_other_count_together():
    """Checks that run every second fail one after the other. What left before it was a mass has left."""
    second_look = believing(catalog="c1 c2 c3 c4")
    assert shown(second_look.decide(mesh(catalog="c1 c2 c3 c4!"), 1)) == "c1 c2 c3"
    assert shown(second_look.decide(mesh(catalog="c1 c2 c3! c4!"), 1.5)) == "c1 c2"
    assert shown(second_look.decide(mesh(catalog="c1 c2! c3! c4!"), 2)) == "c1 c2"
    assert shown(second_look.decide(mesh(catalog="c1! c2! c3! c4!"), 2.5)) == "c1 c2"


def test_losses_far_from_each_other_do_not_count_together():
    second_look = believing(catalog="c1 c2")
    second_look.decide(mesh(catalog="c1 c2!"), 1)
    assert shown(second_look.decide(mesh(catalog="c1! c2!"), 5)) == ""


def test_a_loss_that_was_made_good_does_not_count():
    second_look = believing(catalog="c1 c2")
    second_look.decide(mesh(catalog="c1 c2!"), 1)
    second_look.decide(mesh(catalog="c1 c2"), 1.5)
    assert shown(second_look.decide(mesh(catalog="c1! c2"), 2)) == "c2"


def test_maintenance_leaves_at_once_however_many():
    decision = believing(catalog="c1 c2 c3 c4").decide(mesh(catalog="c1~ c2~ c3~ c4~"), 1)
    assert shown(decision) == ""
    assert decision.held == ()


def test_what_is_deregistered_after_maintenance_is_no_loss():
    second_look = believing(catalog="c1 c2 c3 c4")
    second_look.decide(mesh(catalog="c1~ c2~ c3~ c4~"), 1)
    assert second_look.decide(mesh(catalog=""), 2).held == ()


def test_the_last_one_leaves_at_once_when_the_others_drained():
    second_look = believing(catalog="c1 c2")
    second_look.decide(mesh(catalog="c1 c2~"), 1)
    assert shown(second_look.decide(mesh(catalog="c1! c2~"), 2)) == ""


def test_what_was_replaced_is_not_held():
    decision = believing(catalog="c1 c2").decide(mesh(catalog="c3 c4"), 1)
    assert shown(decision) == "c3 c4"


def test_held_instances_that_come_back_are_no_longer_held():
    second_look = believing(catalog="c1 c2")
    second_look.decide(mesh(catalog=""), 1)
    decision = second_look.decide(mesh(catalog="c1"), 3)
    assert shown(decision) == "c1 c2"
    assert decision.held == (Held(service="catalog", before=2, after=1),)
    decision = second_look.decide(mesh(catalog="c1 c2"), 4)
    assert (decision.held, decision.look_at) == ((), None)


def test_held_instances_that_are_sent_into_maintenance_leave_at_once():
    second_look = believing(catalog="c1 c2")
    second_look.decide(mesh(catalog="c1! c2!"), 1)
    assert shown(second_look.decide(mesh(catalog="c1~ c2!"), 2)) == "c2"


def test_another_reading_is_no_second_look():
    second_look = believing(catalog="c1 c2")
    second_look.decide(mesh(catalog=""), 1)
    assert shown(second_look.decide(mesh(catalog=""), 100)) == "c1 c2"


def test_a_second_look_that_finds_them_missing_lets_them_go():
    second_look = believing(catalog="c1 c2")
    second_look.decide(mesh(catalog="c1! c2!"), 1)
    decision = second_look.confirm(mesh(catalog="c1! c2!"), 9, 9)
    assert shown(decision) == ""
    assert (decision.held, decision.look_at) == ((), None)


def test_what_a_second_look_finds_is_held_anew():
    second_look = believing(catalog="c1 c2")
    second_look.decide(mesh(catalog=""), 1)
    decision = second_look.confirm(mesh(catalog="c1"), 9, 10)
    assert shown(decision) == "c1"
    assert (decision.held, decision.look_at) == ((Held(service="catalog", before=1, after=0),), 18)


def test_a_second_look_takes_only_what_is_due():
    second_look = believing(catalog="c1 c2", orders="o1 o2")
    second_look.decide(mesh(catalog="", orders="o1 o2"), 1)
    second_look.decide(mesh(catalog="", orders=""), 5)
    decision = second_look.confirm(mesh(catalog="", orders=""), 9, 9)
    assert (shown(decision), shown(decision, "orders")) == ("", "o1 o2")
    assert decision.look_at == 13


def test_a_second_look_takes_nothing_that_became_due_after_it_began():
    second_look = believing(catalog="c1 c2")
    second_look.decide(mesh(catalog=""), 1)
    assert shown(second_look.confirm(mesh(catalog=""), 8, 10)) == "c1 c2"


def test_what_is_told_while_a_second_look_is_made_is_believed():
    second_look = believing(catalog="c1 c2", orders="o1 o2")
    second_look.decide(mesh(catalog="", orders="o1 o2"), 1)
    second_look.decide(mesh(catalog="c1 c2 c3", orders="o2"), 9.5)
    decision = second_look.confirm(mesh(catalog="", orders="o1 o2"), 9, 10)
    assert (shown(decision), shown(decision, "orders")) == ("c1 c2 c3", "o2")


def test_control_without_a_delay_the_second_look_lets_go_at_once():
    second_look = SecondLook(delay=0, window=3)
    second_look.decide(mesh(catalog="c1 c2"), 0)
    second_look.decide(mesh(catalog=""), 1)
    assert shown(second_look.confirm(mesh(catalog=""), 1, 1)) == ""


def test_instances_that_are_replaced_one_after_the_other_are_no_mass():
    second_look = believing(catalog="c1 c2", orders="o1")
    for number in range(3, 9):
        decision = second_look.decide(mesh(catalog=f"c{number} c{number + 1}", orders="o1"), number / 10)
        assert shown(decision) == f"c{number} c{number + 1}"
    assert shown(second_look.decide(mesh(catalog="c8", orders="o1"), 1)) == "c8"


def test_what_drained_shortly_before_does_not_make_a_crash_a_mass():
    second_look = believing(catalog="c1 c2 c3 c4")
    second_look.decide(mesh(catalog="c1 c2 c3~ c4~"), 1)
    assert shown(second_look.decide(mesh(catalog="c1 c2!"), 1.5)) == "c1"


V1 = ("catalog", "Service.Meta.version == v1")


def written(instances="c1 c2", **entries):
    return Mesh.of(mesh(catalog=instances).services.values(), Entries(**entries))


def test_what_people_wrote_is_held_when_a_restarted_source_lacks_it():
    second_look = SecondLook(delay=8, window=3)
    second_look.decide(written(chains={"catalog": {"old": 1}, "tax": {"old": 2}}, extras={"faults/tax": "[]"}), 0)
    decision = second_look.decide(written(chains={"catalog": {"new": 1}}), 1, restarted=True)
    assert decision.mesh.entries.chains == {"catalog": {"new": 1}, "tax": {"old": 2}}
    assert decision.mesh.entries.extras == {"faults/tax": "[]"}
    assert decision.look_at == 9
    assert second_look.decide(written(chains={}), 2).mesh.entries.chains == {"catalog": {"new": 1}, "tax": {"old": 2}}


def test_what_people_deleted_is_gone_at_once():
    second_look = SecondLook(delay=8, window=3)
    second_look.decide(written(chains={"catalog": {}}), 0)
    decision = second_look.decide(written(), 1)
    assert (decision.mesh.entries.chains, decision.look_at) == ({}, None)


def test_what_people_wrote_is_let_go_when_it_is_still_missing_at_the_second_look():
    second_look = SecondLook(delay=8, window=3)
    second_look.decide(written(chains={"catalog": {}}), 0)
    second_look.decide(written(), 1, restarted=True)
    assert second_look.confirm(written(), 8.5, 9.5).mesh.entries.chains == {"catalog": {}}
    decision = second_look.confirm(written(), 9, 10)
    assert (decision.mesh.entries.chains, decision.look_at) == ({}, None)


def test_what_was_written_again_is_no_longer_held():
    second_look = SecondLook(delay=8, window=3)
    second_look.decide(written(chains={"catalog": {}}), 0)
    second_look.decide(written(), 1, restarted=True)
    assert second_look.decide(written(chains={"catalog": {"new": 1}}), 2).look_at is None
    assert second_look.decide(written(), 3).mesh.entries.chains == {}


def test_held_instances_stay_in_the_subsets_that_they_were_in():
    second_look = SecondLook(delay=8, window=3)
    second_look.decide(written("c1 c2 c3", selected={V1: frozenset({"c1", "c2"})}), 0)
    held = second_look.decide(written("", selected={V1: frozenset()}), 1)
    assert held.mesh.entries.selected == {V1: {"c1", "c2"}}
    assert second_look.confirm(written(""), 9, 9).mesh.entries.selected == {V1: frozenset()}


def test_the_last_of_a_subset_is_held_when_the_subset_had_two():
    second_look = SecondLook(delay=8, window=3)
    second_look.decide(written("c1 c2 c3", selected={V1: frozenset({"c1", "c2"})}), 0)
    second_look.decide(written("c2 c3", selected={V1: frozenset({"c2"})}), 1)
    decision = second_look.decide(written("c3", selected={V1: frozenset()}), 1.5)
    assert (shown(decision), decision.mesh.entries.selected) == ("c2 c3", {V1: {"c2"}})


def test_one_of_a_subset_leaves_at_once():
    second_look = SecondLook(delay=8, window=3)
    second_look.decide(written("c1 c2 c3", selected={V1: frozenset({"c1"})}), 0)
    assert shown(second_look.decide(written("c2 c3", selected={V1: frozenset()}), 1)) == "c2 c3"
