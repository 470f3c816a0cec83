"""``ledgit models``: what runs logged as models, used."""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING, Any

from ledgit.cli import parsing, render, terminal, text
from ledgit.cli.progress import Progress
from ledgit.errors import UsageError

if TYPE_CHECKING:
    from ledgit.models.mlmodel import Model

HELP = """\
Look at models, serve them, predict with them. A model is named by any of: runs:/RUN/NAME, models:/NAME/VERSION,
models:/NAME@STAGE, git:REVISION#PATH, a folder, or the bare name it was logged by.
"""
EPILOG = """
ledgit models show models:/churn@prod
ledgit models serve models:/churn@prod --watch 30
ledgit models predict models:/churn@prod data.csv -o predictions.csv
ledgit models build-docker models:/churn/v1.2.0 image
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the actions and their options."""
    actions = parser.add_subparsers(
        metavar="ACTION", dest="action", prog=parser.prog, parser_class=parsing.Parser, help="what to do"
    )
    for name, (add, _, line, examples) in ACTIONS.items():
        add(parsing.add_action(actions, name, line, examples))


def run(args: argparse.Namespace) -> int:
    """Do what the action says."""
    return ACTIONS[args.action][1](args)


def _add_model(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("uri", metavar="MODEL", help="the model: a URI, a folder, or the name it was logged by")


def _add_trust(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--trust", action="store_true", default=None, help="let code of the model's maker run (pickles, Python models)"
    )


# ---------------------------------------------------------------------- show


def _add_show(parser: argparse.ArgumentParser) -> None:
    _add_model(parser)
    parsing.add_formats(parser)


def _show(args: argparse.Namespace) -> int:
    from ledgit.models.loading import open_model
    from ledgit.models.requirements import check_requirements

    with open_model(args.uri) as opened:
        source, metadata = opened.source, opened.metadata
        mismatches = [str(one) for one in check_requirements(opened.folder)]
        objection = opened.trust.objection
    said: dict[str, Any] = {
        "uri": source.uri,
        "run": None if source.run is None else source.run.id,
        "path": source.path,
        "version": None if source.version is None else source.version.version,
        "flavors": sorted(metadata.flavors),
        "created": metadata.utc_time_created,
        "size": metadata.model_size_bytes,
        "signature": None if metadata.signature is None else metadata.signature.to_dict(),
        "metadata": metadata.metadata,
        "mismatches": mismatches,
        "trusted": objection is None,
    }
    if args.format == "json":
        terminal.write(render.json_text(said))
        return 0
    run = "" if source.run is None else f"{source.run.name} ({source.run.id[:8]})"
    rows = [
        ("model", text.clean(args.uri)),
        ("version", text.clean(str(said["version"] or ""))),
        ("run", text.clean(run)),
        ("path", text.clean(source.path)),
        ("flavors", text.clean(", ".join(said["flavors"]))),
        ("created", text.clean(metadata.utc_time_created)),
        ("size", "" if metadata.model_size_bytes is None else text.size(metadata.model_size_bytes)),
        *_schema_rows(metadata),
        *((("differs" if place == 0 else ""), text.clean(line)) for place, line in enumerate(mismatches)),
        ("code", "" if objection is None else f"not run without --trust: {text.clean(objection)}"),
    ]
    width = max(len(name) for name, _ in rows)
    lines = [f"{name:<{width}}  {value}" for name, value in rows if value]
    terminal.write("\n".join(lines) + "\n")
    return 0


def _schema_rows(metadata: Model) -> list[tuple[str, str]]:
    rows: list[tuple[str, str]] = []
    for title, schema in (("takes", metadata.get_input_schema()), ("gives", metadata.get_output_schema())):
        if schema is not None:
            rows += [(title if place == 0 else "", text.clean(repr(one))) for place, one in enumerate(schema.inputs)]
    return rows


# ---------------------------------------------------------------------- serve


def _add_serve(parser: argparse.ArgumentParser) -> None:
    _add_model(parser)
    parser.add_argument(
        "--host", default="127.0.0.1", help="address to listen at (default: 127.0.0.1, this machine alone)"
    )
    parser.add_argument(
        "-p", "--port", type=int, default=5000, help="port to listen at; 0 for a free one (default: 5000)"
    )
    parser.add_argument("-w", "--workers", type=int, default=1, metavar="N", help="processes (default: 1)")
    parser.add_argument(
        "--threads", type=int, default=4, metavar="N", help="predictions at a time in each (default: 4)"
    )
    parser.add_argument("--max-body", default="64MiB", metavar="SIZE", help="largest request (default: 64MiB)")
    parser.add_argument("--timeout", default="60", metavar="TIME", help="longest request (default: 60 seconds)")
    parser.add_argument(
        "--grace", default="30", metavar="TIME", help="to finish when told to stop (default: 30 seconds)"
    )
    parser.add_argument("--watch", metavar="TIME", help="look this often where the stage stands: 10 (seconds), 5m")
    parser.add_argument("--pull", action="store_true", help="with --watch: pull before each look")
    parser.add_argument("--access-log", action="store_true", help="a line for each request")
    _add_trust(parser)


def _serve(args: argparse.Namespace) -> int:
    import logging

    from ledgit.models.serving import ServeSettings, serve
    from ledgit.store.artifacts.threshold import parse_size

    logging.basicConfig(format="%(levelname)s %(name)s: %(message)s", level=logging.INFO)
    settings = ServeSettings(
        args.uri,
        host=args.host,
        port=args.port,
        workers=args.workers,
        threads=args.threads,
        max_body=parse_size(args.max_body, "--max-body"),
        timeout=parsing.seconds("--timeout", args.timeout),
        grace=parsing.seconds("--grace", args.grace, zero=True),
        watch=parsing.seconds("--watch", args.watch),
        pull=args.pull,
        trust=args.trust,
        access_log=args.access_log,
    )
    serve(settings, ready=lambda address: terminal.note(f"{text.clean(args.uri)} at {address}"))
    return 0


# ---------------------------------------------------------------------- predict


def _add_predict(parser: argparse.ArgumentParser) -> None:
    _add_model(parser)
    parser.add_argument("input", metavar="FILE", help="CSV with a header, JSON lines or Parquet; - for standard input")
    parser.add_argument("-o", "--output", metavar="FILE", help="write predictions here instead of standard output")
    kinds = ("csv", "jsonl", "parquet")
    parser.add_argument("--input-format", choices=kinds, help="what FILE is, where its name does not say")
    parser.add_argument("--output-format", choices=kinds, help="what to write")
    parser.add_argument("--params", metavar="JSON", help="params of prediction, as a JSON object")
    parser.add_argument("--keep", action="store_true", help="write the columns of the input, too")
    parser.add_argument("--rows", type=int, default=10_000, metavar="N", help="rows at a time (default: 10000)")
    _add_trust(parser)


def _predict(args: argparse.Namespace) -> int:
    from ledgit.models.loading import load_model
    from ledgit.models.serving import predict_file

    try:
        params = None if args.params is None else json.loads(args.params)
    except ValueError as error:
        raise UsageError(f"--params is no JSON: {error}") from None
    if params is not None and not isinstance(params, dict):
        raise UsageError("--params is no JSON object")
    model = load_model(args.uri, trust=args.trust)
    with Progress() as progress:
        done = predict_file(
            model,
            args.input,
            args.output,
            input_kind=args.input_format,
            output_kind=args.output_format,
            params=params,
            keep=args.keep,
            rows=args.rows,
            progress=progress,
        )
    if done.target is not None and sys.stderr.isatty():
        terminal.note(f"{done.rows:,} predictions in {text.clean(done.target)}")
    return 0


# ---------------------------------------------------------------------- build-docker


def _add_docker(parser: argparse.ArgumentParser) -> None:
    _add_model(parser)
    parser.add_argument("folder", metavar="FOLDER", help="folder to make: Dockerfile, model, requirements")
    parser.add_argument("--base", metavar="IMAGE", help="image to start from (default: python of this version, slim)")
    parser.add_argument("--wheel", metavar="FILE", help="install this Ledgit instead of the released one")
    parser.add_argument("-p", "--port", type=int, default=8080, help="port in the container (default: 8080)")
    parser.add_argument(
        "-w", "--workers", type=int, default=1, metavar="N", help="processes in the container (default: 1)"
    )
    _add_trust(parser)
    parsing.add_formats(parser)


def _docker(args: argparse.Namespace) -> int:
    from ledgit.models.serving import build_docker

    written = build_docker(
        args.uri,
        args.folder,
        base=args.base,
        wheel=args.wheel,
        port=args.port,
        workers=args.workers,
        trust=args.trust,
        warn=lambda why: terminal.note(f"warning: {text.clean(why)}"),
    )
    if args.format == "json":
        terminal.write(render.json_text({"folder": args.folder, "files": written}))
    else:
        terminal.write(f"docker build -t NAME {text.clean(args.folder)}\n")
    return 0


ACTIONS = {
    "show": (_add_show, _show, "what a model takes, gives and needs", "ledgit models show models:/churn@prod"),
    "serve": (
        _add_serve,
        _serve,
        "answer requests as MLflow's servers do: /invocations, /ping, /metrics, a page at /",
        "ledgit models serve models:/churn@prod --port 8080 --workers 2 --watch 30 --pull",
    ),
    "predict": (
        _add_predict,
        _predict,
        "predict on every row of a file, however large",
        "ledgit models predict churn data.parquet -o predictions.parquet --keep",
    ),
    "build-docker": (
        _add_docker,
        _docker,
        "write a Dockerfile and all it copies",
        "ledgit models build-docker models:/churn/v1.2.0 image && docker build -t churn image",
    ),
}
