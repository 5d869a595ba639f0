"""Both nodes and the README name the same topics, parameters and diagnostics."""

import re
import unittest

from das3.ros import ENCODINGS
from node import parser
from processes import HERE

ROOT = HERE.parent
README = (ROOT / "README.md").read_text()
NODE = (ROOT / "src" / "segmentation_node.cpp").read_text()


def table(heading: str) -> set[str]:
    """The names in the first column of the table below a heading of the README."""
    section = README.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    return set(re.findall(r"^\| `([^`]+)`", section, re.MULTILINE))


class Agreement(unittest.TestCase):
    def test_parameters(self) -> None:
        in_cpp = set(re.findall(r'declare_parameter\(\s*"(\w+)"', NODE))
        groups = {group.title: group._group_actions for group in parser()._action_groups}
        own = groups["options"] if "options" in groups else groups["optional arguments"]
        in_python = {action.dest for action in own} - {"help"}
        self.assertEqual(in_cpp, table("Parameters"))
        self.assertEqual(in_python, table("Parameters"))

    def test_topics(self) -> None:
        in_cpp = set(re.findall(r'create_\w+<[^>]+>\(\s*"([^"]+)"', NODE))
        source = (HERE / "node.py").read_text()
        in_python = set(re.findall(r'"\{within\}/(segmentation/\w+)"', source))
        self.assertEqual(in_cpp, table("Topics"))
        self.assertEqual(in_python | {"~/image", "/diagnostics"}, table("Topics"))

    def test_diagnostics(self) -> None:
        source = (ROOT / "src" / "health.cpp").read_text()
        values = source.split("diagnosis.values = {")[1].split("};")[0]
        in_cpp = set(re.findall(r'\{"(\w+)"', values))
        source = (HERE / "health.py").read_text()
        in_python = set(re.findall(r'"(\w+)":', source.split("values = {")[1].split("}\n")[0]))
        self.assertEqual(in_cpp, table("Diagnostics"))
        self.assertEqual(in_python, table("Diagnostics"))

    def test_encodings(self) -> None:
        self.assertEqual(
            set(re.findall(r"`(\w+)`", README.split("## Encodings\n")[1].split("\n## ")[0]))
            & set(ENCODINGS),
            set(ENCODINGS),
        )


if __name__ == "__main__":
    unittest.main()
