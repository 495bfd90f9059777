"""The answering side as a round sees it."""

import json
import socket
import sys
from pathlib import Path
from typing import Any

from faults.processes import Processes, wait_until


class Microsoft:
    """Starts the responder, tells it how to answer, and asks what it has seen."""

    def __init__(self, processes: Processes, folder: Path) -> None:
        folder.mkdir()
        processes.start("responder", [sys.executable, "-m", "faults.responder", str(folder)])
        ports = folder / "ports.json"
        wait_until(ports.exists, 20, "The responder starts")
        self._ports = json.loads(ports.read_text())
        self.ca_file = str(folder / "ca.pem")

    @property
    def host(self) -> str:
        return f"localhost:{self._ports['door']}"

    def cloud(self, key: str) -> dict[str, Any]:
        """An entry of EXTRA_CLOUDS."""
        hosts = {f"{name}_host": self.host for name in ("login", "graph", "outlook")}
        return {"key": key, "name": "Faults", "ca_file": self.ca_file, "sandbox": True, **hosts}

    def answers(self, fault: str = "", **manner: Any) -> None:
        """From now on, in this manner; well and at once where nothing is said."""
        self._tell({"seconds": 0.0, "strict": False, **manner, "fault": fault})

    def forget(self) -> None:
        self._tell({"forget": True})

    def report(self) -> dict[str, Any]:
        return self._tell({"report": True})

    def _tell(self, order: dict[str, Any]) -> dict[str, Any]:
        with socket.create_connection(("127.0.0.1", self._ports["control"]), 10) as control:
            control.sendall(json.dumps(order).encode() + b"\n")
            with control.makefile("rb") as answers:
                said: dict[str, Any] = json.loads(answers.readline())
                return said
