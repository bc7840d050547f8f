"""What the help of commands says beside their options: the group of each, examples, and exit
codes.
"""

from typing import Any

from farm.commands.exits import WORDS

GROUPS = {
    "Farms": "demo run up doctor config logs db",
    "Campaigns": "submit list status watch why pause resume cancel retry priority prune estimate"
    " costs",
    "Reviews": "review approve reject undo redo",
    "Pictures": "sheet diff export reproduce verify clean",
    "Prompts, brands and models": "prompts brands drift models adapters",
    "Fleet": "top workers scale drain simulate",
    "Teams": "projects tokens share links audit events webhooks notify files",
    "Other": "completion bench",
}
"""Panel of `farm --help`: its commands."""

EXAMPLES: dict[str, tuple[str, ...]] = {
    "demo": ("farm demo --sheet demo.png",),
    "run": ("farm run spring.yaml", "farm run spring.yaml --update --workers 2"),
    "up": ("farm up", "FARM_TOKEN=$(openssl rand -hex 32) farm up --host 0.0.0.0 --port 8600"),
    "doctor": ("farm doctor", "FARM_URL=http://farm.example:8600 farm doctor"),
    "config": ("farm config",),
    "top": ("farm top", "FARM_URL=http://farm.example:8600 farm top --every 5"),
    "logs": ("farm logs spring --follow", "farm logs worker-1a2b3c4d -n 500 --json"),
    "completion": ('eval "$(farm completion bash)"',),
    "submit": (
        "farm submit spring.yaml --wait --timeout 2h",
        "farm submit spring.yaml --dry-run",
        "farm submit campaigns/ --set settings.steps=30",
        "farm submit - --name other < spring.yaml",
    ),
    "estimate": (
        "farm estimate spring.yaml --workers 8",
        "farm estimate spring.yaml --set settings.steps=30 --probe 8 --timeout 10m",
    ),
    "list": ("farm list -A --state failed", "farm list --since 2d --json"),
    "status": ("farm status spring", "farm status spring --json"),
    "watch": ("farm watch spring --timeout 10m",),
    "why": ("farm why spring", "farm why spring/12"),
    "pause": ("farm pause spring summer", "farm pause --all --yes"),
    "resume": ("farm resume spring", "farm resume --state stopped"),
    "cancel": ("farm cancel spring", "farm cancel --all --dry-run"),
    "retry": ("farm retry spring --failed", "farm retry spring/12", "farm retry --all"),
    "priority": ("farm priority spring summer 90",),
    "prune": ("farm prune --older-than 30d --dry-run", "farm prune spring --yes --with-pictures"),
    "review": ("farm review spring",),
    "approve": ("farm approve spring 3 7", "farm approve spring --where color=red"),
    "reject": ("farm reject spring 4 --reason composition",),
    "undo": ("farm undo spring",),
    "redo": ("farm redo spring 4 --next-seed",),
    "sheet": (
        "farm sheet spring --out spring.pdf",
        "farm sheet spring --rows color --columns seed",
    ),
    "diff": ("farm diff spring", "farm diff spring@1 spring@3 --image changes.png"),
    "export": ("farm export spring ./spring --parquet",),
    "reproduce": ("farm reproduce picture.png", "farm reproduce spring/12"),
    "verify": ("farm verify spring", "farm verify spring --repair"),
    "clean": ("farm clean spring --dry-run",),
    "prompts": ("farm prompts spring.yaml --limit 20",),
    "workers": ("farm workers",),
    "tokens create": (
        "farm tokens create mira --role reviewer --project acme --expires 90d",
        "farm tokens create ci --role submitter --all-projects",
    ),
    "share": (
        "farm share spring --for anna@client.example --until 2026-12-31",
        "farm share spring --review --passphrase",
    ),
    "links list": ("farm links list", "farm links list spring"),
    "links revoke": ("farm links revoke k3j9x2abcd",),
    "tokens list": ("farm tokens list",),
    "tokens revoke": ("farm tokens revoke k3j9x2abcd",),
    "tokens rotate": ("farm tokens rotate k3j9x2abcd",),
    "files add": ("farm files add mug.png looks.csv --project acme",),
    "files list": ("farm files list --json",),
    "files remove": ("farm files remove file:3fa91c…",),
    "projects create": ("farm projects create acme --workers 8 --role mira=operator",),
    "projects list": ("farm projects list --json",),
    "projects show": ("farm projects show acme",),
    "projects set": (
        "farm projects set acme --workers 8 --role mira=reviewer --role tom=none",
        "farm projects set --all-projects --role mira=viewer",
    ),
    "scale": ("farm scale --floor 1 --ceiling 8", "farm scale --default"),
    "drain": ("farm drain worker-1",),
    "events": ("farm events --campaign spring --follow", "farm events --kinds worker.*"),
    "adapters": ("farm adapters add house ./house.safetensors", "farm adapters list"),
    "webhooks": ("farm webhooks add https://example.com/hook --kinds campaign.finished",),
    "notify": ("farm notify add mailtos://farm:password@example.com", "farm notify test 1"),
    "audit": ("farm audit --since 2026-11-01 --who ann --json",),
    "simulate": ("farm simulate spring.yaml --workers 1,8,64",),
}
"""Command: examples, of which a test tries that each can be read."""

_CODES = "Exit codes: " + ", ".join(f"{code:d} {words}" for code, words in WORDS.items()) + "."
_OWN_CODES = {
    "reproduce": (
        "Exit codes: 0 identical, 1 close, 2 different or the request was wrong; for other errors"
        " those of all commands."
    )
}


def group_of(name: str) -> str:
    """The panel of `farm --help` that a command stands in."""
    return next((panel for panel, names in GROUPS.items() if name in names.split()), "Other")


def epilog_of(name: str) -> str:
    """What stands below the options of a command."""
    examples = EXAMPLES.get(name, ())
    head = ["Examples:" if len(examples) > 1 else "Example:"] if examples else []
    lines = "\n".join([*head, *(f"  {example}" for example in examples)])
    said = [lines, _OWN_CODES.get(name, _CODES)] if lines else [_OWN_CODES.get(name, _CODES)]
    return "\n\n".join(said).replace("[", r"\[")


def with_epilogs(command: Any, name: str) -> Any:
    """A command, and those in it if it is a group, with their epilogs."""
    command.epilog = epilog_of(name)
    for inner, part in getattr(command, "commands", {}).items():
        with_epilogs(part, f"{name} {inner}")
    return command
