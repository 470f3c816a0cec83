"""Drive MLflow's own UI on a Ledgit repository, and save what it shows to docs/images.

``python docs/tour_mlflow.py PYTHON``, where PYTHON is an interpreter with the whole of MLflow (its UI is not in
``mlflow-skinny``) and Ledgit; Chromium is needed, too. A few runs are logged, one of them goes on. Requests that
fail are told, and make the exit code 1.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import itertools
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from aiohttp import ClientConnectionError, ClientSession, ClientWebSocketResponse

IMAGES = Path(__file__).parent / "images"
PROGRAM = """
import math, random, mlflow
random.seed(1)
client = mlflow.MlflowClient()
mlflow.set_experiment("digits")
client.create_registered_model("digits-model", description="Which digit it is")
for number in range(6):
    run = mlflow.start_run(run_name=f"forest-{number}")
    mlflow.log_params({"lr": 0.1 / (number + 1), "optimizer": random.choice(["adam", "sgd"]), "depth": number + 2})
    mlflow.set_tag("team", "fraud")
    for step in range(40):
        loss = math.exp(-step / (10 + number)) + random.random() * 0.05
        mlflow.log_metrics({"loss": loss, "accuracy": 1 - math.exp(-step / (12 + number))}, step=step)
    mlflow.log_text("flavors: {}", "model/MLmodel")
    mlflow.log_dict({"depth": number}, "settings.json")
    if number == 5:
        break
    mlflow.end_run()
    if number > 2:
        source = run.info.artifact_uri + "/model"
        version = client.create_model_version("digits-model", source, run.info.run_id)
        client.set_registered_model_alias("digits-model", "champion", version.version)
print("ready", flush=True)
input()
"""

_CLICK = "[...document.querySelectorAll('*')].findLast(one => one.innerText === 'Model training')?.click()"


class Tab:
    """A page in Chromium, driven by its own protocol."""

    def __init__(self, wire: ClientWebSocketResponse) -> None:
        self.wire, self.numbers = wire, itertools.count(1)
        self.failed: list[str] = []
        self.asked: list[str] = []

    async def send(self, method: str, **words: Any) -> Any:
        """Send a command and return its result; what the page asked of the server meanwhile is remembered."""
        number = next(self.numbers)
        await self.wire.send_json({"id": number, "method": method, "params": words})
        async for message in self.wire:
            said = json.loads(message.data)
            if said.get("method") == "Network.responseReceived":
                answer = said["params"]["response"]
                if "-api/" in answer["url"] or "graphql" in answer["url"]:
                    self.asked.append(f"{answer['status']} {answer['url'].partition('-api/')[2]}")
                    if answer["status"] >= 400 and not answer["url"].endswith("users/current"):  # of no login
                        self.failed.append(self.asked[-1])
            if said.get("id") == number:
                return said.get("result", {})
        raise SystemExit("Chromium is gone")

    async def tell(self, script: str) -> Any:
        """Return what an expression is in the page."""
        return (await self.send("Runtime.evaluate", expression=script, awaitPromise=True))["result"].get("value")

    async def show(self, address: str, *words: str) -> None:
        """Open a page and wait until it has all the *words*."""
        await self.send("Page.navigate", url=address)
        for word in words:
            for _ in range(300):
                if await self.tell(f"!!document.body && document.body.innerText.includes({word!r})"):
                    break
                await asyncio.sleep(0.1)
            else:
                self.failed.append(f"{address} does not show {word!r}")
        before = ""
        while before != (before := await self.tell("document.body.innerHTML.length + ''")):  # until it stands still
            await asyncio.sleep(0.7)

    async def save(self, name: str) -> None:
        """Save a picture of what is seen."""
        taken = await self.send("Page.captureScreenshot", format="png")
        (IMAGES / f"mlflow-{name}.png").write_bytes(base64.b64decode(taken["data"]))


@contextlib.asynccontextmanager
async def chromium(folder: Path) -> AsyncIterator[Tab]:
    """A browser with one empty tab."""
    program = next(found for one in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(one)))
    flags = ("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking")
    more = ("--disable-dev-shm-usage", "--hide-scrollbars", "--remote-debugging-port=0", "--window-size=1200,700")
    process = await asyncio.create_subprocess_exec(
        *(program, *flags, *more, f"--user-data-dir={folder}", "about:blank"), stderr=subprocess.DEVNULL
    )
    try:
        port = folder / "DevToolsActivePort"
        while not (port.exists() and len(port.read_text().split()) == 2):
            await asyncio.sleep(0.05)
        address = f"http://127.0.0.1:{port.read_text().split()[0]}/json"
        async with ClientSession() as session:
            pages: list[dict[str, str]] = []
            while not pages:
                async with session.get(address) as answer:
                    pages = [one for one in await answer.json() if one["type"] == "page"]
            async with session.ws_connect(pages[0]["webSocketDebuggerUrl"], max_msg_size=1 << 28) as wire:
                tab = Tab(wire)
                for domain in ("Page", "Runtime", "Network"):
                    await tab.send(f"{domain}.enable")
                yield tab
    finally:
        process.terminate()
        await process.wait()


async def tour(address: str, profile: Path) -> list[str]:
    """Look at the pages, and return what failed."""
    async with ClientSession() as session, chromium(profile) as tab:
        while True:
            try:
                async with session.post(
                    f"{address}/api/2.0/mlflow/experiments/search", json={"max_results": 10}
                ) as answer:
                    experiments = (await answer.json())["experiments"]
                    break
            except ClientConnectionError:
                await asyncio.sleep(0.2)
        number = next(one["experiment_id"] for one in experiments if one["name"] == "digits")
        async with session.post(
            f"{address}/api/2.0/mlflow/runs/search", json={"experiment_ids": [number], "max_results": 10}
        ) as answer:
            runs = [one["info"] for one in (await answer.json())["runs"]]
        page = f"{address}/#/experiments/{number}"
        await tab.show(f"{address}/#/experiments", "digits")
        await tab.tell("localStorage.setItem('mlflow.assistant.panelOpen_v1', 'false')")
        await tab.show(f"{address}/?again#/experiments", "digits", "Model training")
        await tab.tell(_CLICK)
        await tab.show(f"{page}/runs?compareRunsMode=TABLE", "forest-5", "forest-0")
        await tab.save("runs")
        await tab.show(f"{page}/runs?compareRunsMode=CHART", "accuracy", "loss")
        await asyncio.sleep(4)  # the lines are drawn
        await tab.save("chart")
        await tab.show(f"{page}/runs/{runs[0]['run_id']}/model-metrics", "accuracy")
        await asyncio.sleep(3)
        await tab.show(f"{page}/runs/{runs[1]['run_id']}", "optimizer")
        await tab.show(f"{page}/runs/{runs[1]['run_id']}/artifacts", "settings.json")
        ids = json.dumps([one["run_id"] for one in runs[:4]])
        await tab.show(f'{address}/#/compare-runs?runs={ids}&experiments=["{number}"]', "Parallel Coordinates")
        await asyncio.sleep(2)
        await tab.save("compare")
        await tab.show(f"{address}/#/models", "digits-model")
        await tab.show(f"{address}/#/models/digits-model", "champion")
        await tab.save("model")
        await tab.show(f"{address}/#/models/digits-model/versions/2", "champion")
        print("\n".join(sorted(set(tab.asked))))
        return tab.failed


def main() -> int:
    """Log, serve, look; 1 if anything failed."""
    python = os.path.abspath(sys.argv[1])
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch, contextlib.ExitStack() as stack:
        folder = Path(scratch) / "digits"
        folder.mkdir()
        environment = os.environ | {"MLFLOW_TRACKING_URI": "ledgit:", "MLFLOW_DISABLE_TELEMETRY": "true"}
        subprocess.run(["git", "init", "-q"], cwd=folder, check=True)
        for key, value in (("user.name", "Ada Lovelace"), ("user.email", "ada@example.org")):
            subprocess.run(["git", "config", key, value], cwd=folder, check=True)
        (folder / "train.py").write_text(PROGRAM)
        subprocess.run(["git", "add", "."], cwd=folder, check=True)
        subprocess.run(["git", "commit", "-q", "-m", "first"], cwd=folder, check=True)
        training = stack.enter_context(
            subprocess.Popen(
                [python, "train.py"], cwd=folder, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE
            )
        )
        stack.callback(training.terminate)
        assert training.stdout is not None
        assert training.stdout.readline() == b"ready\n"
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        line = [python, "-m", "mlflow", "ui", "--backend-store-uri", "ledgit:.", "--port", str(port)]
        server = stack.enter_context(subprocess.Popen(line, cwd=folder, env=environment, stderr=subprocess.DEVNULL))
        stack.callback(server.terminate)
        failed = asyncio.run(tour(f"http://127.0.0.1:{port}", Path(scratch) / "profile"))
    print("\n".join(["failed:", *failed] if failed else ["nothing failed"]))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
