"""Syntax of other tools is found in prompts; what is only punctuation is not."""

import pytest

from farm.campaign.syntax import find_syntax, may_hold_syntax

EMPHASIS = [
    "(red:1.4)", "a (red mug:1.2), x", "(red: .8)", "(red:-1)", "(red:1,2)", "(a (b) c:1.1)",
    "(red,\nblue:1.1)", "（red：1.4）", "(embedding:bad:1.2)", "((red))", "(((red)))", "( (red))",
    "(red)1.4", "(red)++", "(red)--", "red++", '("a", "b").and()', '("a", "b").blend(1,1)',
]  # fmt: skip
OTHERS = [
    ("[red]", "leave the brackets out"),
    ("[[red]]", "leave the brackets out"),
    ("[red|blue]", "make an axis"),
    ("[red:blue:0.5]", "all steps should read"),
    ("[red:5]", "all steps should read"),
    ("<lora:x:0.8>", "adapters: [{lora: FILE, scale: 0.8}]"),
    ("<lora:x>", "adapters: [{lora: FILE, scale: 1.0}]"),
    ("< LORA: my style : -1 >", "adapters: [{lora: FILE, scale: -1}]"),
    ("<lyco:x:1>", "adapters:"),
    ("<hypernet:x:1>", "no support"),
    ("<hypernetwork:x:1>", "no support"),
    ("embedding:easynegative", "textual inversions"),
    ("<embed:x>", "textual inversions"),
    ("__colour__", "vary: {colour: [ONE, OTHER]}"),
    ("__animals/cats__", "vary: {animals_cats: [ONE, OTHER]}"),
    ("__c*__", "make an axis"),
    ("{a|b}", "make an axis"),
    ("{2$$a|b|c}", "make an axis"),
    ("<random:a,b>", "make an axis"),
    ("<wildcard:x>", "make an axis"),
    ("cinematic {prompt} . emotional", "two columns"),
    ("${c}", "two columns"),
    ("{{red mug}}", "leave the braces out"),
    ("a cat BREAK a dog", "a comma"),
    ("a cat\nBREAK\na dog", "a comma"),
    ("a dog AND a CAT", "`and`"),
    ("1girl AND 1boy", "`and`"),
    ("a mug --ar 16:9", "size: WIDTHxHEIGHT"),
    ("a mug —ar 16:9", "size: WIDTHxHEIGHT"),
    ("a mug --no text, red", "under `negative`"),
    ("--seed=5", "under `seeds`"),
    ("--cfg-scale 7", "guidance: N"),
    ("a mug --tile", "leave it out"),
    ("hot::2 dog", "how strong"),
    ("hot:: dog", "how strong"),
    ("1.2::red", "how strong"),
    ("cat.swap(dog)", "the words that should be read"),
    (r"miku \(vocaloid\)", "without the backslash"),
    ("<segment:face>", "leave it out"),
    ("<setvar[x]:y>", "leave it out"),
    ("<|endoftext|>", "leave it out"),
    ("</s>", "leave it out"),
    ("a cat ADDCOMM a dog", "leave it out"),
    ("COUPLE(0 0.5)", "leave it out"),
]
PUNCTUATION = [
    "(a red one)", "a mug (red)", "a mug (500 ml), x", "a (b (c))", "a (b), (c)", "()", "[]",
    "{ }",
    ":)", "x[", "x]",
    "foo (bar: baz)", "日本語（赤）", "【赤】", "at 12:30", "(at 12:30)", "(scale 1:10)",
    "(50mm f/1:2.8)", "5:1.5 ratio", "16:9", "1:1", "f/1.8", "C++ book", "std::vector", "18+",
    "Disney+", "SALT AND PEPPER", 'a sign that says "BREAK"', "a sign that says SALT AND PEPPER",
    "TAKE A BREAK NOW", "HANDS", "AND-gate", "a sandy brand", "a mug -- red", "a mug — red",
    "a mug --handmade-- x", "e-mail", "a < b > c", "<cat-toy>", "______", "_x_", "snake__case",
    "embedding: the idea", "vue d'ensemble: rouge", "$5", "100%", "rock & roll", "*red*",
    "#1 bestseller", "red/blue", "it's naïve", "",
]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "instead"), [*((text, "how strong it should be") for text in EMPHASIS), *OTHERS]
)
def test_syntax_is_found_and_told_with_what_to_write_instead(text, instead):
    found = find_syntax(text)
    assert found
    assert any(instead in syntax.sentence(text) for syntax in found), [
        syntax.sentence(text) for syntax in found
    ]
    assert may_hold_syntax(text)


@pytest.mark.parametrize("text", PUNCTUATION)
def test_punctuation_is_not_syntax(text):
    assert [syntax.sentence(text) for syntax in find_syntax(text)] == []


def test_of_syntax_within_syntax_the_outer_is_told():
    text = "a [red|(blue:1.2)] mug, <lora:a__b__c:1>"
    assert [text[syntax.start : syntax.stop] for syntax in find_syntax(text)] == [
        "[red|(blue:1.2)]",
        "<lora:a__b__c:1>",
    ]


@pytest.mark.timeout(60)  # a search that takes the square of the length takes minutes
@pytest.mark.parametrize(
    "piece",
    [
        "(",
        "[",
        "{",
        "()",
        "((a:1.1",
        "[a|",
        "<a:",
        "__a",
        "-",
        "--a",
        ":",
        "1",
        "a+",
        "AND ",
        "(a: ",
        ". ",
        "<|",
        "\\",
        "$",
    ],
)
def test_no_text_takes_long_to_read(piece):
    closing = {"(": ")", "[": "]", "{": "}"}.get(piece, "")
    text = piece * (20_000 // len(piece)) + closing * 20_000
    assert all(found.stop <= len(text) for found in find_syntax(text))
