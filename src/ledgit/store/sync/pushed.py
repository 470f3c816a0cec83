"""How to push, and what a push did."""

from __future__ import annotations

from ledgit.store.sync.table import Changes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from ledgit.store.artifacts.uploaded import Uploaded
    from ledgit.store.registry.pushing import TagsPushed
    from ledgit.store.sync.ask import Answer, Question
    from ledgit.store.sync.exchange import Purge
    from ledgit.store.sync.held import Held
    from ledgit.store.sync.publish import Review

__all__ = ["PushOptions", "Pushed"]

#: Lost races before the runs go into an inbox.
LOSSES = 3


class PushOptions:
    """How to push.

    Attributes:
        runs: Ids of the runs to push; None: all.
        dry_run: Only find out what would go.
        losses: Lost races before the runs go into an inbox.
        retry: Also try runs that this host refused before.
        policy: ``ask``, ``all`` or ``pushed-code`` instead of what ``ledgit.publish`` says.
        ask: Asked what may be published; None: nobody can be.
        allow_secrets: Ids of runs that may go although something in them looks like a secret.
        accept_purges: Runs that were purged elsewhere may go without asking.
        confirm: Asked before runs go that were made here, or more than 10; None: nobody can be asked.
        prompt: Git may ask for a password.
        artifacts: Send what the runs need to the artifact remote; else they go without.
    """

    __slots__ = (
        "accept_purges",
        "allow_secrets",
        "artifacts",
        "ask",
        "confirm",
        "dry_run",
        "losses",
        "policy",
        "prompt",
        "retry",
        "runs",
    )

    def __init__(
        self,
        runs: Collection[str] | None = None,
        dry_run: bool = False,
        losses: int = LOSSES,
        retry: bool = False,
        policy: str | None = None,
        ask: Callable[[Question], Answer] | None = None,
        allow_secrets: Collection[str] = (),
        accept_purges: bool = False,
        confirm: Callable[[Purge], bool] | None = None,
        prompt: bool = False,
        artifacts: bool = True,
    ) -> None:
        self.runs = runs
        self.dry_run = dry_run
        self.losses = losses
        self.retry = retry
        self.policy = policy
        self.ask = ask
        self.allow_secrets = allow_secrets
        self.accept_purges = accept_purges
        self.confirm = confirm
        self.prompt = prompt
        self.artifacts = artifacts


class Pushed:
    """What a push did.

    Attributes:
        remote: Where to, for people.
        sent: Runs that the remote has now because of it: new, edited, purged.
        received: Runs that came from there on the way.
        held: Runs that stayed here: id → why.
        known: Ids of those of them that an earlier push held back already, as they are now and for the same reason.
        left: Runs that could not be looked at or tried: id → why.
        inbox: Name of the inbox they went into, if the ledger was busy.
        attempts: How many pushes it took; 0 if there was nothing to push.
        declined: The user was asked and said no.
        dry_run: Nothing was pushed; `sent` is what would be.
        review: What would become public.
        notes: Sentences about what was passed over.
        purged: Ids of loose runs that went because they were purged elsewhere.
        artifacts: What went to the artifact remote, and what did not; None where nobody looked.
        tags: What became of the registry's tags; None if there was none to send.
    """

    __slots__ = (
        "artifacts",
        "attempts",
        "declined",
        "dry_run",
        "held",
        "inbox",
        "known",
        "left",
        "notes",
        "purged",
        "received",
        "remote",
        "review",
        "sent",
        "tags",
    )

    def __init__(
        self,
        remote: str,
        inbox: str | None = None,
        attempts: int = 0,
        declined: bool = False,
        dry_run: bool = False,
        review: Review | None = None,
        purged: tuple[str, ...] = (),
    ) -> None:
        self.remote = remote
        self.sent = Changes()
        self.received = Changes()
        self.held: dict[str, Held] = {}
        self.known: set[str] = set()
        self.left: dict[str, str] = {}
        self.inbox = inbox
        self.attempts = attempts
        self.declined = declined
        self.dry_run = dry_run
        self.review = review
        self.notes: list[str] = []
        self.purged = purged
        self.artifacts: Uploaded | None = None
        self.tags: TagsPushed | None = None
