"""The job array of ``deploy/cluster/archive.sbatch`` on a SLURM of one node that is begun for it."""

from __future__ import annotations

import getpass
import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("pyarrow")
pytestmark = [pytest.mark.deploy, pytest.mark.usefixtures("slides"), pytest.mark.timeout(300)]
RECIPE = Path(__file__).parents[3] / "deploy" / "cluster" / "archive.sbatch"
DAEMONS = ("munged", "slurmctld", "slurmd")
Lines = dict[str, dict[str, Any]]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def configuration(folder: Path) -> str:
    """One node with four processors to SLURM's mind, whatever it has, so that the recipe's tasks fit."""
    host = socket.gethostname().split(".")[0]
    user = getpass.getuser()
    return f"""
ClusterName=one
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={free_port()}
SlurmdPort={free_port()}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
SlurmUser={user}
SlurmdUser={user}
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SlurmdParameters=config_overrides
SchedulerParameters=sched_interval=1,batch_sched_delay=0,defer_batch
MailProg=/bin/true
NodeName={host} NodeAddr=127.0.0.1 CPUs=8 RealMemory=16000
PartitionName=all Nodes={host} Default=YES State=UP
"""


@pytest.fixture(scope="module")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """A SLURM that takes jobs; the environment for its commands."""
    places = os.pathsep.join([os.environ["PATH"], "/usr/sbin", "/sbin"])
    found = {name: shutil.which(name, path=places) for name in (*DAEMONS, "sbatch", "sinfo")}
    if None in found.values():
        pytest.skip(f"not installed: {', '.join(name for name, path in found.items() if path is None)}")
    folder = tmp_path_factory.mktemp("slurm")
    for name in ("state", "spool"):
        (folder / name).mkdir()
    key = folder / "munge.key"
    key.write_bytes(secrets.token_bytes(128))
    key.chmod(0o400)
    (folder / "slurm.conf").write_text(configuration(folder))
    environment = os.environ | {"SLURM_CONF": str(folder / "slurm.conf")}
    # It minds who else may write the folders on the way to its socket, which are pytest's.
    own = [f"--{name}={folder}/munge.{name.split('-')[0]}" for name in ("key-file", "socket", "pid-file", "seed-file")]
    commands = (["munged", "--foreground", "--force", *own], ["slurmctld", "-D"], ["slurmd", "-D"])
    begun: list[subprocess.Popen[bytes]] = []
    try:
        for name, *options in commands:
            with (folder / f"{name}.said").open("wb") as said:
                program = str(found[name])
                begun.append(subprocess.Popen([program, *options], env=environment, stdout=said, stderr=said))
        give_up = time.monotonic() + 60
        while asked(environment, "sinfo", "--noheader", "--format=%T") != "idle":
            assert all(process.poll() is None for process in begun), said_by(folder)
            assert time.monotonic() < give_up, said_by(folder)
            time.sleep(0.3)
        yield environment
    finally:
        for process in reversed(begun):
            process.terminate()
        for process in begun:
            process.wait(30)


def said_by(folder: Path) -> str:
    return "\n".join(
        f"{file.name}: {file.read_text()[-1500:]}" for file in (*folder.glob("*.said"), *folder.glob("*.log"))
    )


def asked(environment: dict[str, str], *command: str) -> str:
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False).stdout.strip()


def wait_for(environment: dict[str, str], job: str) -> None:
    while asked(environment, "squeue", "--noheader", f"--jobs={job}"):
        time.sleep(0.3)


def test_an_array_of_which_a_task_died_comes_to_what_screen_comes_to(
    slurm: dict[str, str],
    tiny_package: Path,
    tmp_path: Path,
    lines_of_screen: Callable[[], Lines],
    lines_of_results: Callable[[Path], Lines],
) -> None:
    command = tmp_path / "edge-all"
    # The second task dies the way a node does.
    dies = '[ "$SLURM_ARRAY_TASK_ID" = 2 ] && kill -KILL $$'
    begins = f'exec "{sys.executable}" -m edge_all "$@" --model "{tiny_package}"'
    command.write_text(f"#!/bin/sh\n{dies}\n{begins}\n")
    command.chmod(0o755)
    environment = slurm | {"EDGE_ALL": str(command)}
    words = [str(RECIPE), "slides", "out"]
    array = asked(environment, "sbatch", "--parsable", "--array=1-2", *words)
    last = asked(environment, "sbatch", "--parsable", f"--dependency=afterany:{array}", *words)
    wait_for(environment, array)
    assert len(list(Path("out/results").glob("*/*.gz"))) == 2, Path(f"slurm-{array}_1.out").read_text()
    wait_for(environment, last)
    said = Path(f"slurm-{last}.out").read_text()
    assert lines_of_results(Path("out")) == lines_of_screen(), said
    assert json.loads(Path("out/reconciliation.json").read_text())["slides_complete"] == 4
