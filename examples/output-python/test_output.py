"""Run with: /usr/bin/python3 -m unittest"""
import importlib.machinery
import importlib.util
import json
import os
import tempfile
import unittest

import output_pb2 as pb

HERE = os.path.dirname(os.path.abspath(__file__))


def load():
    """The program has no ending that import knows."""
    loader = importlib.machinery.SourceFileLoader("program", os.path.join(HERE, "trailship-output-folder"))
    program = importlib.util.module_from_spec(importlib.util.spec_from_loader("program", loader))
    loader.exec_module(program)
    return program


class OutputTest(unittest.TestCase):
    def setUp(self):
        self.output = load().Output()
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)

    def configure(self, **config):
        answer = self.output.Configure(pb.ConfigureRequest(config=json.dumps(config).encode()), None)
        return [(e.pointer, e.message) for e in answer.errors]

    def test_an_alert_that_comes_twice_is_there_once(self):
        self.assertEqual(self.configure(folder=self.folder.name), [])
        alert = pb.Alert(id="a1", json=b'{"message": "hello"}')
        for _ in range(2):
            answer = self.output.Deliver(pb.DeliverRequest(alerts=[alert]), None)
            self.assertEqual(len(answer.failed), 0)
        self.assertEqual(os.listdir(self.folder.name), ["a1.json"])
        with open(os.path.join(self.folder.name, "a1.json"), encoding="utf-8") as file:
            self.assertEqual(json.load(file), {"message": "hello"})

    def test_an_alert_that_cannot_be_written_is_named(self):
        self.configure(folder="/dev/null/here")
        answer = self.output.Deliver(pb.DeliverRequest(alerts=[pb.Alert(id="a1", json=b"{}")]), None)
        self.assertEqual([f.id for f in answer.failed], ["a1"])

    def test_every_mistake_is_found_and_pointed_at(self):
        self.assertEqual(self.configure(foldr="x"), [("/foldr", "unknown key 'foldr'"), ("", "'folder' is missing")])
        self.assertEqual(self.configure(folder=5), [("/folder", "must be a string")])


if __name__ == "__main__":
    unittest.main()
