"""Versions of prompts are kept by what they say; one that comes back answers until the settings change."""

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybrid.config import GenerationSettings
from hybrid.errors import UsageError
from hybrid.generation.prompts import load_prompts, load_writing_prompt
from hybrid.generation.versions import PromptVersions, _escaped, version_of

EN, TERSE, GERMAN = (
    GenerationSettings(language=language, prompt=prompt)
    for language, prompt in (("en", ""), ("en", "terse"), ("de", ""))
)


@given(st.text())
def test_any_text_stands_in_toml_as_it_is(text):
    assert tomllib.loads(f'x = """\n{_escaped(text)}"""')["x"] == text


@pytest.mark.parametrize("given", [EN, TERSE, GERMAN])
def test_a_version_that_was_kept_says_what_it_said(tmp_path, given):
    PromptVersions(tmp_path).used(given, named=False)
    (path,) = (tmp_path / "prompts").glob("*.toml")
    assert path.stem == version_of(given.language, given.prompt)
    assert load_prompts(given.language, str(path)) == load_prompts(given.language, given.prompt)
    # whatever the package says by then
    assert load_prompts("de", str(path)) == load_prompts(given.language, given.prompt)
    assert load_writing_prompt("de", str(path)) == load_writing_prompt(given.language)
    assert version_of("de", str(path)) == path.stem


def test_each_change_of_what_is_in_use_is_written_down_once(tmp_path):
    for own in (EN, EN, TERSE, TERSE, EN):
        PromptVersions(tmp_path).used(own, named=False)  # each in a process of its own
    PromptVersions(tmp_path).used(GERMAN, named=True)
    versions = PromptVersions(tmp_path)
    assert [use.prompt for use in versions.uses()] == ["", "terse", ""]
    assert [use.digest for use in versions.uses()] == [version_of("en", p) for p in ("", "terse", "")]
    assert versions.find(version_of("de", ""))  # kept, though the domain never answered by it by itself


def test_a_version_that_comes_back_holds_until_the_settings_give_another(tmp_path):
    versions = PromptVersions(tmp_path)
    for own in (EN, TERSE):
        versions.used(own, named=False)
    versions.put_back(versions.find(version_of("en", "")[:6]), TERSE)
    back = versions.in_force(TERSE)
    assert version_of("en", back.prompt) == version_of("en", "")
    versions.used(back, named=False)
    assert [use.prompt for use in versions.uses()] == ["", "terse", ""]
    assert versions.in_force(GERMAN) == GERMAN  # other settings: what came back is over
    versions.put_back(version_of("en", "terse"), TERSE)
    assert versions.in_force(TERSE) is TERSE


def test_an_own_file_may_say_how_a_writer_is_asked(tmp_path):
    own = tmp_path / "mine.toml"
    own.write_text('[writing]\nuser = "$question first, then $passages"\n')
    assert load_writing_prompt("en", str(own)).user == "$question first, then $passages"
    assert load_prompts("en", str(own)) == load_prompts("en")
    assert version_of("en", str(own)) != version_of("en", "")


def test_what_is_not_kept_or_damaged_is_said(tmp_path):
    versions = PromptVersions(tmp_path)
    versions.used(EN, named=False)
    with pytest.raises(UsageError, match=r"0 versions .* kept: [0-9a-f]{12}"):
        versions.find("nothing")
    for content, what in (("{", "no JSON"), ('{"digest": 7}', "damaged"), (_pin("abc"), "not kept")):
        (tmp_path / "prompts" / "IN_FORCE").write_text(content)
        with pytest.raises(UsageError, match=what):
            versions.in_force(EN)


def _pin(digest):
    return f'{{"digest": "{digest}", "instead_of": "x"}}'


def test_no_answer_fails_because_a_version_cannot_be_kept(tmp_path, caplog):
    (tmp_path / "prompts").write_text("a file where the folder is to be")
    PromptVersions(tmp_path).used(EN, named=False)
    assert "was not kept" in caplog.text
    PromptVersions(tmp_path / "no domain").used(EN, named=False)
    assert [path.name for path in tmp_path.iterdir()] == ["prompts"]
