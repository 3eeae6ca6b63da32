"""Every rule holds in every kustomization, and fails on every pod as soon as what it asks for is taken out."""

import copy
import unittest

import mutations
import ours
import restricted
from test_manifests import resolved


def broken(objects: list[dict]) -> set[str]:
    """The names of the rules that do not hold."""
    found = {name for name, check in ours.RULES.items() if any(check(objects))}
    for _, _, pod in ours.pods(objects):
        found |= {name for name, check in restricted.RULES.items() if any(check(pod))}
    return found


class Rules(unittest.TestCase):
    def test_every_rule_holds(self) -> None:
        for name, objects in resolved().items():
            for rule, check in ours.RULES.items():
                with self.subTest(name, rule=rule):
                    self.assertEqual(list(check(objects)), [])
            pods = list(ours.pods(objects))
            self.assertEqual(len(pods), 2)
            for pod_name, _, pod in pods:
                for rule, check in restricted.RULES.items():
                    with self.subTest(name, rule=rule, pod=pod_name):
                        self.assertEqual(list(check(pod)), [])

    def test_each_rule_fails_on_each_pod_that_breaks_it(self) -> None:
        for name, objects in resolved().items():
            for rule, what, change in mutations.OF_PODS:
                for place, (pod_name, _, _) in enumerate(ours.pods(objects)):
                    changed = copy.deepcopy(objects)
                    pod = list(ours.pods(changed))[place][2]
                    change(pod)
                    with self.subTest(name, rule=rule, pod=pod_name, what=what):
                        self.assertIn(rule, broken(changed))

    def test_each_rule_of_ours_fails_when_it_is_broken(self) -> None:
        for name, objects in resolved().items():
            for rule, what, change in mutations.OF_THE_WHOLE:
                changed = copy.deepcopy(objects)
                change(changed)
                with self.subTest(name, rule=rule, what=what):
                    self.assertIn(rule, broken(changed))

    def test_no_rule_is_without_a_way_to_break_it(self) -> None:
        self.assertEqual({rule for rule, _, _ in mutations.OF_PODS + mutations.OF_THE_WHOLE}, set(restricted.RULES) | set(ours.RULES))


if __name__ == "__main__":
    unittest.main()
