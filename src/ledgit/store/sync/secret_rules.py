"""What secrets look like: one line a kind, from what the services publish about their tokens.

A rule has *anchors*: bytes that a match must contain. They are looked for first (a gigabyte a
second), and only where one stands the rule's regular expression is tried, so that clean files cost
next to nothing. Rules rest on a token's fixed parts, never on how random a string looks: run ids,
commit ids and digests are in every run.

Names (``password = …``) have one expression of their own at the end: there the name decides what
the value may look like, and the kind of file whether it has to stand in quotes.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    import re
    from collections.abc import Iterator
    from typing import Any

__all__ = [
    "ASSIGNMENT",
    "KEYWORDS",
    "RULES",
    "SHORTEST",
    "WORDS",
    "Expression",
    "Rule",
    "is_placeholder",
    "is_secret_assignment",
    "may_assign",
    "takes_bare_values",
]

_WORD = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/_-")
_END = rb"(?![A-Za-z0-9+/_\-])"
SHORTEST = 18  #: bytes of the shortest match of a rule about words
_RIGHT = 600  # bytes after an anchor that are looked at; keys are shorter


class Expression:
    """A regular expression that is compiled when it is first tried.

    A push of one run mostly tries none: the module takes 5 ms to import, and all of ours 4 ms to compile.
    """

    __slots__ = ("_compiled", "_pattern")

    def __init__(self, pattern: str | bytes) -> None:
        self._pattern = pattern
        self._compiled: Any = None

    def _ready(self) -> Any:
        if self._compiled is None:
            import re

            self._compiled = re.compile(self._pattern)
        return self._compiled

    def match(self, text: Any, *span: int) -> Any:
        """As of the compiled expression."""
        return self._ready().match(text, *span)

    def search(self, text: Any, *span: int) -> Any:
        """As of the compiled expression."""
        return self._ready().search(text, *span)

    def fullmatch(self, text: Any, *span: int) -> Any:
        """As of the compiled expression."""
        return self._ready().fullmatch(text, *span)


class Rule:
    """One kind of secret.

    Attributes:
        kind: What it is, as it is told: ``an AWS access key``.
        anchors: Bytes of which a match has at least one.
        left: How many bytes before its anchor a match may begin. 0: the anchor is its beginning.
        word: A match is no part of a longer word. In base64 (pictures in notebooks) everything is.
        then: Bytes that a match has after its anchor.
    """

    __slots__ = ("_expression", "anchors", "kind", "left", "then", "word")

    def __init__(
        self, kind: str, anchors: str, pattern: bytes, *, left: int = 0, word: bool = True, then: bytes = b""
    ) -> None:
        self.kind, self.left, self.word, self.then = kind, left, word, then
        self.anchors = tuple(anchor.encode() for anchor in anchors.split())
        self._expression = Expression(b"(?:" + pattern + b")" + _END if word else pattern)

    def __repr__(self) -> str:
        return f"Rule({self.kind!r})"

    def matches(self, text: bytes) -> Iterator[re.Match[bytes]]:
        """Yield the matches in *text*; the group ``s``, or else all of a match, is the secret."""
        for anchor in self.anchors:
            at = text.find(anchor)
            while at >= 0:
                match = self._at(text, at)
                if match is not None:
                    yield match
                at = text.find(anchor, max(at + 1, match.end() if match else 0))

    def _at(self, text: bytes, at: int) -> re.Match[bytes] | None:
        if self.then and text.find(self.then, at, at + _RIGHT) < 0:
            return None
        match: re.Match[bytes] | None
        if not self.left:
            match = self._expression.match(text, at, at + _RIGHT)
        else:
            match = self._expression.search(text, max(0, at - self.left), at + _RIGHT)
        if match is None or match.end() <= at:
            return None
        before = match.start() - 1
        return None if self.word and before >= 0 and text[before] in _WORD else match


_URL_USER = rb"[^\s/:@\"'`<>{}$*\\|]{1,100}"
_URL_PASSWORD = rb"[^\s/:@\"'`<>{}$*\\|()\[\]]{3,200}"

RULES = (
    # Clouds
    Rule("an AWS access key", "AKIA ASIA ABIA ACCA", rb"(?:AKIA|ASIA|ABIA|ACCA)[0-9A-Z]{16}"),
    Rule(
        "an AWS secret key",
        "aws AWS Aws",
        rb"(?i:aws.{0,20}(?:secret|key|token|pwd|password).{0,20}?[\"'\s:=])(?P<s>[0-9A-Za-z/+]{40})(?![0-9A-Za-z/+=_-])",
        word=False,
    ),
    Rule("a Google API key", "AIza", rb"AIza[0-9A-Za-z_\-]{35}"),
    Rule("a Google OAuth secret", "GOCSPX-", rb"GOCSPX-[0-9A-Za-z_\-]{24,}"),
    Rule("a Google access token", "ya29.", rb"ya29\.[0-9A-Za-z_\-]{20,}"),
    Rule("an Azure storage key", "AccountKey=", rb"AccountKey=(?P<s>[A-Za-z0-9+/]{80,88}={0,2})", word=False),
    Rule(
        "an Azure shared access signature", "sig=", rb"[?&]sig=(?P<s>[A-Za-z0-9%]{43,}(?:%3[dD]|=))", left=1, word=False
    ),
    Rule("an Azure client secret", "Q~", rb"[A-Za-z0-9_~.]{3}[0-9]Q~[A-Za-z0-9_~.\-]{31,34}", left=4),
    Rule("a DigitalOcean token", "dop_v1_ doo_v1_ dor_v1_", rb"do[opr]_v1_[a-f0-9]{64}"),
    Rule("a Databricks token", "dapi", rb"dapi[a-f0-9]{32}(?:-\d)?"),
    Rule("a Heroku key", "HRKU-", rb"HRKU-[A-Za-z0-9_\-]{30,}"),
    Rule("a Fly.io token", "fm1_ fm2_ fm1a_ fm1r_ fm2a_ fm2r_", rb"fm[12][ar]?_[A-Za-z0-9+/=_\-]{80,}", word=False),
    # Code hosts, packages, continuous integration
    Rule("a GitHub token", "ghp_ gho_ ghu_ ghs_ ghr_", rb"gh[pousr]_[A-Za-z0-9]{30,255}"),
    Rule("a GitHub token", "github_pat_", rb"github_pat_[A-Za-z0-9_]{22,255}"),
    Rule(
        "a GitLab token",
        "glpat- gldt- glrt- glcbt- glptt- glft- glsoat- glagent- glimt- gloas-",
        rb"gl(?:pat|dt|rt|cbt|ptt|ft|soat|agent|imt|oas)-[A-Za-z0-9_\-.]{18,}",
    ),
    Rule(
        "a Bitbucket or Atlassian token",
        "ATBB ATATT3 ATCTT3",
        rb"(?:ATBB[A-Za-z0-9]{28,}|AT[AC]TT3[A-Za-z0-9_\-=]{60,})",
    ),
    Rule("a PyPI token", "pypi-AgE", rb"pypi-AgE[A-Za-z0-9_\-]{40,}"),
    Rule("an npm token", "npm_", rb"npm_[A-Za-z0-9]{36}"),
    Rule("an npm token", "_authToken", rb"_authToken\s*=\s*[\"']?(?P<s>[A-Za-z0-9_\-]{16,})", word=False),
    Rule("a Docker token", "dckr_", rb"dckr_(?:pat|oat)_[A-Za-z0-9_\-]{20,}"),
    Rule("an Artifactory key", "AKC", rb"AKC[A-Za-z0-9]{60,}"),
    Rule("a Terraform token", ".atlasv1.", rb"[A-Za-z0-9]{14}\.atlasv1\.[A-Za-z0-9_\-=]{60,}", left=14),
    Rule("a Vault token", "hvs. hvb. hvr.", rb"hv[sbr]\.[A-Za-z0-9_\-]{24,}"),
    Rule("a Doppler token", "dp.", rb"dp\.(?:pt|st|ct|scim|audit|sa)\.[A-Za-z0-9._\-]{40,}"),
    Rule("a 1Password token", "ops_eyJ", rb"ops_eyJ[A-Za-z0-9_\-=]{100,}"),
    Rule("a Grafana token", "glc_ glsa_", rb"gl(?:c|sa)_[A-Za-z0-9_+/=]{32,}"),
    Rule("a New Relic key", "NRAK- NRII- NRJS-", rb"NR(?:AK|II|JS)-[A-Za-z0-9_\-]{19,}"),
    Rule("a Sentry token", "sntry", rb"sntry[su]_[A-Za-z0-9+/=_]{40,}", word=False),
    Rule("a Netlify token", "nfp_", rb"nfp_[A-Za-z0-9]{36,}"),
    Rule("a Supabase token", "sbp_ sb_secret_", rb"(?:sbp_[a-f0-9]{40}|sb_secret_[A-Za-z0-9_\-]{20,})"),
    # What machine learning is done with
    Rule("a Hugging Face token", "hf_ api_org_", rb"(?:hf|api_org)_[A-Za-z0-9]{30,}"),
    Rule("an OpenAI key", "T3BlbkFJ", rb"sk-[A-Za-z0-9_\-]{16,}T3BlbkFJ[A-Za-z0-9_\-]{16,}", left=120),
    Rule(
        "an OpenAI key",
        "sk-proj- sk-svcacct- sk-admin- sk-None-",
        rb"sk-(?:proj|svcacct|admin|None)-[A-Za-z0-9_\-]{20,}",
    ),
    Rule("an Anthropic key", "sk-ant-", rb"sk-ant-[A-Za-z0-9_\-]{20,}"),
    Rule("an OpenRouter key", "sk-or-v1-", rb"sk-or-v1-[a-f0-9]{32,}"),
    Rule("an API key", "sk-", rb"sk-[A-Za-z0-9]{32,64}"),
    Rule("a Weights & Biases key", "wandb_v1_", rb"wandb_v1_[A-Za-z0-9_]{40,}"),
    Rule("a Neptune token", "eyJhcGlfYWRkcmVzcyI", rb"eyJhcGlfYWRkcmVzcyI[A-Za-z0-9+/=]{40,}", word=False),
    Rule("a Replicate token", "r8_", rb"r8_[A-Za-z0-9]{37}"),
    Rule("a Groq key", "gsk_", rb"gsk_[A-Za-z0-9]{40,}"),
    Rule("an xAI key", "xai-", rb"xai-[A-Za-z0-9]{60,}"),
    Rule("a Perplexity key", "pplx-", rb"pplx-[A-Za-z0-9]{40,}"),
    Rule("a Pinecone key", "pcsk_", rb"pcsk_[A-Za-z0-9_]{40,}"),
    Rule("a LangSmith key", "lsv2_", rb"lsv2_(?:pt|sk)_[a-f0-9]{32}_[a-f0-9]{10}"),
    Rule("an NVIDIA key", "nvapi-", rb"nvapi-[A-Za-z0-9_\-]{40,}"),
    Rule("a DVC Studio token", "isat_", rb"isat_[A-Za-z0-9]{30,}"),
    Rule("a Kaggle token", "KGAT_", rb"KGAT_[A-Za-z0-9]{24,}"),
    # Messages, money, mail
    Rule(
        "a Slack token",
        "xoxa- xoxb- xoxc- xoxd- xoxe- xoxe. xoxo- xoxp- xoxr- xoxs-",
        rb"xox[a-eoprs][-.][A-Za-z0-9\-.%]{13,}",
    ),
    Rule("a Slack token", "xapp-", rb"xapp-\d-[A-Z0-9]+-\d+-[a-z0-9]{30,}"),
    Rule(
        "a Slack webhook",
        "hooks.slack.com/",
        rb"hooks\.slack\.com/(?:services|workflows|triggers)/[A-Za-z0-9+/]{30,}",
        word=False,
    ),
    Rule(
        "a Discord webhook",
        "/api/webhooks/",
        rb"discord(?:app)?\.com/api/webhooks/\d{10,}/[A-Za-z0-9_\-]{40,}",
        left=14,
        word=False,
    ),
    Rule("a Telegram token", ":AA", rb"\d{8,10}:AA[A-Za-z0-9_\-]{32,33}", left=10),
    Rule("a Stripe key", "sk_live_ sk_test_ rk_live_ rk_test_", rb"(?:sk|rk)_(?:live|test)_[A-Za-z0-9]{16,}"),
    Rule("a Stripe webhook secret", "whsec_", rb"whsec_[A-Za-z0-9+/=]{32,}", word=False),
    Rule("a Square token", "sq0 EAAA", rb"(?:sq0(?:atp|csp|idp)-[A-Za-z0-9_\-]{22,}|EAAA[A-Za-z0-9_\-]{60})"),
    Rule("a Shopify token", "shpat_ shpca_ shppa_ shpss_", rb"shp(?:at|ca|pa|ss)_[a-fA-F0-9]{32}"),
    Rule("a Twilio key", "SK", rb"SK[0-9a-f]{32}"),
    Rule("a SendGrid key", "SG.", rb"SG\.[A-Za-z0-9_\-]{16,32}\.[A-Za-z0-9_\-]{32,64}"),
    Rule("a Mailchimp key", "-us", rb"[0-9a-f]{32}-us\d{1,2}", left=32),
    Rule("a Mailgun key", "key-", rb"key-[0-9a-f]{32}"),
    Rule("a Linear key", "lin_api_", rb"lin_api_[A-Za-z0-9]{40}"),
    Rule("a Notion token", "ntn_", rb"ntn_[A-Za-z0-9]{40,}"),
    Rule("a Postman key", "PMAK-", rb"PMAK-[a-f0-9]{24}-[a-f0-9]{34}"),
    # Of any service
    Rule("a JSON web token", "eyJ", rb"eyJ[A-Za-z0-9_\-]{8,}\.eyJ[A-Za-z0-9_\-]{8,}\.[A-Za-z0-9_\-]{8,}"),
    Rule("an age secret key", "AGE-SECRET-KEY-1", rb"AGE-SECRET-KEY-1[0-9A-Z]{58}"),
    Rule(
        "a private key",
        "-----BEGIN",
        # Not where code merely mentions the line, in quotes.
        rb"-----BEGIN (?:[A-Z0-9]+ ){0,3}PRIVATE KEY(?: BLOCK)?-----(?![\"'`)])",
        word=False,
    ),
    Rule("a private key", "PuTTY-User-Key-File-", rb"PuTTY-User-Key-File-\d: ", word=False),
    Rule(
        "a password in a URL",
        "://",
        rb"[A-Za-z][A-Za-z0-9+.\-]{1,20}://(?P<u>"
        + _URL_USER
        + rb"):(?P<s>"
        + _URL_PASSWORD
        + rb")@(?!sha256:)[A-Za-z0-9.\[%_-]",
        left=21,
        word=False,
        then=b"@",
    ),
    Rule(
        "a token in a URL",
        "://",
        rb"https?://(?P<s>[A-Za-z0-9_\-.~]{20,})@[A-Za-z0-9.\-]",
        left=5,
        word=False,
        then=b"@",
    ),
    Rule(
        "credentials in a header",
        "uthorization UTHORIZATION",
        rb"(?i:authorization[\"']?\s*[:=,]\s*[\"']?(?:bearer|basic|token)\s+)(?P<s>[A-Za-z0-9_\-.~+/=]{12,})",
        left=1,
        word=False,
    ),
)

#: Where none of these stands, no rule about words can match.
WORDS = tuple(anchor for rule in RULES if rule.word for anchor in rule.anchors)

# name = "value", name: value, "name": "value", name => 'value', in lower case, from the keyword on; what stands
# before the keyword belongs to the name too.
KEYWORDS = (b"pass", b"pwd", b"secret", b"key", b"token", b"credential", b"dsn", b"conn")
ASSIGNMENT = Expression(
    rb"(?P<name>(?:pass(?:w(?:or)?d|wort|phrase|code)?|pwd|secret(?:[_.\- ]?key)?|key(?:[_.\-]?id)?|token|credentials?"
    rb"|dsn|conn(?:ection)?[_.\- ]?str(?:ing)?)"
    rb"(?:[_\-.]?(?:\d{1,3}|prod|production|dev|test|staging|live|value|text|plain|main|admin|root))?)"
    rb"(?:\\{0,3}[\"'`])?\]?[ \t]*"
    rb"(?::[ \t]*(?:str|bytes|string|optional\[str\]|str \| none)[ \t]*(?==))?(?::=|=>|={1,3}|:)[ \t]*"
    rb"(?:[rbu]{0,2}(?P<quote>\\{0,3}[\"'`]))?(?P<value>[^\s\"'`\\]{4,500})(?P<after>\\{0,3}[\"'`]?)"
)
# What ASSIGNMENT lets follow a keyword within a name, signs and digits apart.
_MORE = {
    b"pass": (b"", b"wd", b"word", b"wort", b"phrase", b"code"),
    b"secret": (b"", b"key"),
    b"key": (b"", b"id"),
    b"credential": (b"", b"s"),
    b"conn": (b"", b"ection", b"str", b"string", b"ectionstr", b"ectionstring"),
}
_LAST = b" prod production dev test staging live value text plain main admin root".split(b" ")
_NAMES = {
    keyword: frozenset(more + last for more in _MORE.get(keyword, (b"",)) for last in _LAST) for keyword in KEYWORDS
}
_SIGNS_IN_NAMES = b"_.-0123456789"
_AS_BLANK = bytes(c if c in b"abcdefghijklmnopqrstuvwxyz" + _SIGNS_IN_NAMES else 32 for c in range(256))
_LONGEST_NAME = 32  # bytes of it after the keyword, with what may close it
_LONGEST = 100  # bytes from a keyword to the sign that gives it a value: with quotes, blanks and a type


def may_assign(lower: bytes, at: int, keyword: bytes) -> bool:
    """Whether :data:`ASSIGNMENT` can match where *keyword* stands: a quick look that spares most of the matches."""
    rest = lower[at + len(keyword) : at + len(keyword) + _LONGEST]
    if b":" not in rest and b"=" not in rest:
        return len(rest) == _LONGEST and not rest[_LONGEST_NAME:].strip(b" \t")  # it may be that far off
    name = rest.translate(_AS_BLANK).partition(b" ")[0]
    return name.translate(None, _SIGNS_IN_NAMES) in _NAMES[keyword]


# "key" and "pass" mean many things; with these before them they mean one.
_KEY = Expression(
    rb"(?:api|auth|access|private|secret|encryption|signing|service|account|client|deploy|license|storage|master|app"
    rb"|openai|wandb|comet|neptune|hf)[_.\- ]?key"
)
_PASS = Expression(rb"[_.\-]pass(?![a-z])")
_STRONG = Expression(rb"passw|passphrase|passcode|pwd")
_OTHER = Expression(rb"secret|token|credential|dsn|str")
# What names mean in machine learning, in parsers and in dictionaries.
_HARMLESS = Expression(
    rb"tokeni[sz]|tokens$|token[_.\-]?(?:type|ids?|len)|secret[_.\-]?(?:name|path|file|id|arn|ref)"
    rb"|(?:^|[_.\-])(?:n|num|max|min|pad|eos|bos|unk|sep|cls|mask|special|vocab|start|end|stop|image|first|last|next|prev"
    rb"|new|current|cur|per|page|continuation|cursor|sort|cache|public|primary|foreign|partition)[_.\- ]?(?:token|key)"
)

# Files whose values stand without quotes. Elsewhere a bare word is a variable, or prose.
_BARE = ".yaml|.yml|.env|.ini|.cfg|.conf|.toml|.properties|.netrc|.pgpass|.npmrc|.pypirc|.envrc|.sh|.bash|.zsh|.tfvars"
_BARE_ENDINGS = frozenset(_BARE.split("|"))
_BARE_NAMES = frozenset({"dockerfile", "credentials", "config"})

# Signs and words that only stand for a secret: <password>, ${PASSWORD}, {password}, %(password)s, $PASSWORD, xxxx.
_SIGNS = Expression(
    r"(?is)[<\[({].*|\$[A-Za-z_(][\w.:)-]*|%[\w(].*"
    r"|.*(?:\$\{|\{\{|<|>|\.\.\.|…).*|.*\{[a-z_. ]*\}.*|[x*.\-_#?0]+|(.)\1+",
)
_STANDS_FOR = Expression(
    r"(?i)(?:^|[\W_])your|example|placeholder|change[\W_]?me|dummy|(?:^|[\W_])fake|(?:^|[\W_])sample|todo|insert[\W_]|redacted"
    r"|replace[\W_]?|xxxx|[\W_]here$|goes[\W_]?here|not[\W_]?set|not[\W_]a[\W_]",
)
_EXACT = Expression(
    r"(?i)password|passwd|passphrase|pass|pwd|secret|token|api[_-]?key|key|credentials?|my[_-]?(?:password|token|secret)"
    r"|user(?:name)?|name|value|field|input|login|auth(?:entication|orization)?|bearer|basic|digest|plain(?:text)?|hash(?:ed)?"
    r"|encrypted|hidden|masked|removed|empty|unset|missing|required|optional|prompt|default|none|null|nil|true|false|undefined"
    r"|yes|no|on|off|auto|env(?:iron)?|getenv|vault|keyring|self|args|config|settings|options|params|kwargs|request|string|str"
    r"|bytes|text|(?:var)?char|int(?:eger)?|float|number|bool(?:ean)?|object|array|dict|list|test(?:ing)?|foo|bar|foobar|abcd?"
    r"|file",
)


_CODE = Expression(r"[(\[{]|^[!&*|>@%]|^[a-z_]+(?:\.[a-z_]+)+$")
_PLACE = Expression(r"(?:[A-Za-z]+://|/|\./|\.\./|~/)")


def takes_bare_values(path: str) -> bool:
    """Whether the file at *path* is of a kind where a value needs no quotes (YAML, .env, shell …)."""
    name = path.rpartition("/")[2].lower()
    _, dot, ending = name.rpartition(".")
    return (
        name in _BARE_NAMES or name.startswith((".env", "dockerfile")) or (bool(dot) and f".{ending}" in _BARE_ENDINGS)
    )


def is_placeholder(value: str) -> bool:
    """Whether *value* only stands for a secret: ``<password>``, ``${TOKEN}``, ``your-key-here``, ``changeme``."""
    bare = value.strip("_-.:;!")
    return any((_EXACT.fullmatch(bare), _SIGNS.fullmatch(value), _STANDS_FOR.search(value)))


def is_secret_assignment(name: bytes, value: bytes, *, quoted: bool) -> bool:
    """Whether ``name = value`` gives a secret away.

    A password may be any word. A token or a key has to look like one: in machine learning there are
    many tokens and keys that are words.

    Args:
        name: In lower case.
        value: As it stands there.
        quoted: Whether it stands in quotes.
    """
    text = value.decode("utf-8", "replace")
    strong = _STRONG.search(name) is not None
    if not (strong or _OTHER.search(name) or _KEY.search(name) or _PASS.search(name)):
        return False
    if _HARMLESS.search(name) or is_placeholder(text):
        return False
    if not quoted and _CODE.search(text):
        return False  # a call, a look-up, a mark of YAML's
    if _PLACE.match(text):
        return False  # where the secret is, not what it is; URLs have rules of their own
    digits = any(c.isdigit() for c in text)
    letters = any(c.isalpha() for c in text)
    if strong:
        return len(text) >= 5
    if name.endswith((b"secret", b"pass")):
        return len(text) >= 6 and digits
    return len(text) >= 16 and digits and letters and len(set(text)) >= 8
