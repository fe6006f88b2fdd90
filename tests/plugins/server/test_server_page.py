"""The page in a real browser: Debian's chromium, driven by selenium."""

from __future__ import annotations

import base64
import os
import shutil
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement

import t2i
from fakes.serving import Served, serving
from fakes.waiting import wait_until

MODELS = ("stackgan-v2.world64", "cgan.world64")
KEY = "an-example-key-of-32-characters."
CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
until = partial(wait_until, seconds=60, pause=0.05)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="needs chromium and chromedriver"),
]


@pytest.fixture(scope="module")
def browser() -> Iterator[webdriver.Chrome]:
    options = webdriver.ChromeOptions()
    options.binary_location = str(CHROMIUM)
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--lang=en"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    browser = webdriver.Chrome(options, webdriver.ChromeService(str(DRIVER)))
    browser.set_script_timeout(60)
    yield browser
    browser.quit()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("index")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("T2I_INDEX", str(folder / "index.sqlite"))
        with serving({name: name for name in MODELS}, keep=folder / "drawn", search=True) as served:
            yield served


@pytest.fixture
def page(browser: webdriver.Chrome, server: Served) -> Iterator[webdriver.Chrome]:
    """The page, just opened, at the width of a desk; afterwards nothing may have been reported on its console."""
    browser.set_window_size(1280, 900)
    browser.get(server.address)
    browser.execute_script("localStorage.clear()")
    browser.refresh()
    until(lambda: "ready" in status(browser))
    yield browser
    problems = [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"]
    assert not problems, problems


def status(page: webdriver.Chrome) -> str:
    return page.find_element(By.ID, "status").text


def field(page: webdriver.Chrome, name: str) -> WebElement:
    return page.find_element(By.CSS_SELECTOR, f"#draw [name={name}]")


def fill(page: webdriver.Chrome, **values: object) -> None:
    for name, value in values.items():
        field(page, name).clear()
        field(page, name).send_keys(str(value))


def drawn(page: webdriver.Chrome) -> list[WebElement]:
    return page.find_elements(By.CSS_SELECTOR, "#pictures article:first-child figure")


def draw(page: webdriver.Chrome, count: int, **values: object) -> list[WebElement]:
    fill(page, n=count, **values)
    field(page, "prompt").send_keys(Keys.ENTER)
    until(lambda: status(page).startswith(f"{count} of {count}"))
    return drawn(page)


def caption(figure: WebElement) -> str:
    return figure.find_element(By.TAG_NAME, "figcaption").text


def press(figure: WebElement, text: str) -> None:
    figure.find_element(By.XPATH, f".//button[text()='{text}']").click()


def clipboard(page: webdriver.Chrome, figure: WebElement, button: str) -> str:
    """What a button copies."""
    page.execute_script("navigator.clipboard.writeText = async (text) => { window.copied = text }; window.copied = ''")
    press(figure, button)
    until(lambda: page.execute_script("return window.copied"))
    return str(page.execute_script("return window.copied"))


def test_pictures_come_with_their_seeds_and_are_those_of_the_pipeline(page: webdriver.Chrome) -> None:
    figures = draw(page, 3, prompt="a red heart", seed=7)
    assert [caption(figure) for figure in figures] == [f"{MODELS[0]}, seed {seed}" for seed in (7, 8, 9)]
    images = [figure.find_element(By.TAG_NAME, "img") for figure in figures]
    assert {image.get_attribute("alt") for image in images} == {"a red heart"}
    (expected,) = t2i.pipeline(MODELS[0], device="cpu")("a red heart", seed=7)
    assert str(images[0].get_attribute("src")) == f"data:image/png;base64,{base64.b64encode(expected.png()).decode()}"


def test_the_command_and_the_python_draw_the_picture_again(
    page: webdriver.Chrome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page.find_element(By.CSS_SELECTOR, "#draw summary").click()
    truncation = page.find_element(By.CSS_SELECTOR, "[data-option=truncation]")
    assert (truncation.get_attribute("max"), truncation.get_attribute("value")) == ("2", "1")
    truncation.clear()
    truncation.send_keys("0.5")
    (figure,) = draw(page, 1, prompt="the cat's 心", seed=3)
    command = "t2i generate 'the cat'\\''s 心' --model stackgan-v2.world64 --seed 3 --option truncation=0.5 -o "
    assert clipboard(page, figure, "Command") == f"{command}the-cat-s-心-3.png"
    monkeypatch.chdir(tmp_path)
    exec(clipboard(page, figure, "Python"), {})
    shown = str(figure.find_element(By.TAG_NAME, "img").get_attribute("src"))
    assert base64.b64decode(shown.partition(",")[2]) == Path("the-cat-s-心-3.png").read_bytes()


def test_variations_keep_the_seed_or_the_words(page: webdriver.Chrome) -> None:
    (figure,) = draw(page, 1, prompt="a red heart", seed=7)
    press(figure, "Other words")
    assert field(page, "prompt") == page.switch_to.active_element and field(page, "seed").get_attribute("value") == "7"
    press(figure, "Other seeds")
    until(lambda: not caption(drawn(page)[0]).endswith("seed 7") and status(page).startswith("1 of 1"))
    assert field(page, "prompt").get_attribute("value") == "a red heart"


def test_every_model_draws_the_same_words_and_seed(page: webdriver.Chrome) -> None:
    fill(page, prompt="two hearts", seed=5, n=2)
    page.find_element(By.ID, "every").click()
    until(lambda: status(page).startswith("4 of 4"))
    figures = drawn(page)
    assert [caption(figure) for figure in figures] == [f"{name}, seed {seed}" for name in MODELS for seed in (5, 6)]
    left, top = ([figure.location[axis] for figure in figures] for axis in ("x", "y"))
    assert left[0] == left[1] < left[2] == left[3] and top[0] == top[2] < top[1] == top[3]  # a column for each model
    history = [item.text for item in page.find_elements(By.CSS_SELECTOR, "#history button")]
    assert history == [f"two hearts ({name}, seed 5, 2 pictures)" for name in MODELS]


def test_stages_are_shown_on_the_way(page: webdriver.Chrome) -> None:
    page.execute_script(
        "window.sources = new Set(); new MutationObserver(() => document.querySelectorAll('#pictures img')"
        ".forEach(i => sources.add(i.src))).observe(document.getElementById('pictures'),"
        "{subtree: true, childList: true, attributes: true})"
    )
    field(page, "stages").click()
    draw(page, 1, prompt="a red heart", seed=7)
    assert page.execute_script("return sources.size") >= 2


def test_a_wrong_option_is_said_and_no_empty_place_stays(page: webdriver.Chrome) -> None:
    page.execute_script("document.querySelector('[data-option=truncation]').removeAttribute('max')")
    page.find_element(By.CSS_SELECTOR, "#draw summary").click()
    page.find_element(By.CSS_SELECTOR, "[data-option=truncation]").send_keys("00")
    fill(page, prompt="a red heart")
    field(page, "prompt").send_keys(Keys.ENTER)
    until(lambda: "less than or equal to 2" in status(page))
    assert not drawn(page)
    page.get_log("browser")  # the browser reports the answer's status 400


def test_the_history_draws_again_after_a_reload(page: webdriver.Chrome) -> None:
    (figure,) = draw(page, 1, prompt="a green heart", seed=11)
    before = figure.find_element(By.TAG_NAME, "img").get_attribute("src")
    page.refresh()
    until(lambda: "ready" in status(page))
    page.find_element(By.CSS_SELECTOR, "#history button").click()
    until(lambda: status(page).startswith("1 of 1"))
    assert drawn(page)[0].find_element(By.TAG_NAME, "img").get_attribute("src") == before
    page.find_element(By.ID, "forget").click()
    assert not page.find_elements(By.CSS_SELECTOR, "#history button")


def test_what_was_drawn_is_found_and_put_into_the_form(page: webdriver.Chrome) -> None:
    draw(page, 1, prompt="an orange circle", seed=21)
    query = page.find_element(By.CSS_SELECTOR, "#search [name=q]")
    query.send_keys("orange", Keys.ENTER)
    until(lambda: "found" in status(page))
    (hit,) = page.find_elements(By.CSS_SELECTOR, "#hits li")
    fill(page, prompt="something else", seed=1)
    press(hit, "Use")
    until(lambda: field(page, "seed").get_attribute("value") == "21")
    assert field(page, "prompt").get_attribute("value") == "an orange circle"


def test_a_picture_that_is_opened_says_how_it_was_made_and_is_drawn_again(
    page: webdriver.Chrome, tmp_path: Path
) -> None:
    path = t2i.pipeline(MODELS[1], device="cpu")("a red heart", seed=7, truncation=0.5)[0].save(tmp_path / "heart.webp")
    page.find_element(By.ID, "open").send_keys(str(path))
    until(lambda: page.find_element(By.ID, "made").is_displayed())
    facts = page.find_element(By.ID, "made-facts").text
    assert "a red heart" in facts and MODELS[1] in facts and '"truncation":0.5' in facts
    page.find_element(By.ID, "again").click()
    until(lambda: "every pixel is the same" in page.find_element(By.ID, "made-says").text)


def test_a_dropped_picture_without_provenance_is_said(page: webdriver.Chrome) -> None:
    page.execute_script(
        """const canvas = document.createElement("canvas");
        canvas.toBlob((blob) => {
          const data = new DataTransfer();
          data.items.add(new File([blob], "plain.png", { type: "image/png" }));
          document.body.dispatchEvent(new DragEvent("drop", { dataTransfer: data, bubbles: true }));
        })"""
    )
    until(lambda: "does not say how it was made" in status(page))
    page.get_log("browser")  # the browser reports the answer's status 404


def test_everything_is_reached_with_the_keyboard_and_has_a_name(page: webdriver.Chrome) -> None:
    draw(page, 1, prompt="a red heart", seed=7)
    names = page.execute_script(
        """return [...document.querySelectorAll("button, input, select, textarea, a, summary")]
        .filter((each) => each.offsetParent && !(each.textContent || each.labels?.[0]?.textContent
          || each.ariaLabel || each.title || "").trim()).map((each) => each.outerHTML)"""
    )
    assert names == []
    reached = set()
    field(page, "prompt").click()
    for _ in range(60):
        reached.add(page.execute_script("const e = document.activeElement; return e.name || e.id || e.textContent"))
        webdriver.ActionChains(page).send_keys(Keys.TAB).perform()
    wanted = {"prompt", "model", "n", "seed", "Draw", "every", "Command", "Python", "Other words", "Other seeds", "q"}
    assert wanted - reached == set(), reached
    outline = page.execute_script("return getComputedStyle(document.activeElement).outlineStyle")
    assert outline not in ("", None)


@pytest.mark.parametrize("width", [360, 768, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_wider_than_the_screen_and_texts_can_be_read(
    page: webdriver.Chrome, width: int, scheme: str, tmp_path: Path
) -> None:
    emulate(page, width, scheme)
    try:
        draw(page, 4, prompt="a red heart", seed=7)
        assert page.execute_script("return document.documentElement.scrollWidth") <= width
        for name, ratio in page.execute_script(CONTRASTS).items():
            assert ratio >= 4.5, (name, ratio)
        save_picture(page, f"page-{width}-{scheme}.png")
    finally:
        page.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
        page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


def test_a_key_is_asked_for_once(browser: webdriver.Chrome) -> None:
    with serving({MODELS[1]: MODELS[1]}, keys={"ann": KEY}) as locked:
        browser.get(locked.address)
        until(lambda: browser.find_element(By.ID, "locked").is_displayed())
        browser.find_element(By.CSS_SELECTOR, "#unlock input").send_keys(KEY, Keys.ENTER)
        until(lambda: "ready" in status(browser))
        browser.refresh()
        until(lambda: "ready" in status(browser))
        assert draw(browser, 1, prompt="a red heart", seed=7)
        browser.get_log("browser")  # the browser reports the first answer's status 401


def emulate(page: webdriver.Chrome, width: int, scheme: str) -> None:
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
    page.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", media)


def save_picture(page: webdriver.Chrome, name: str) -> None:
    """Write a picture of the page into T2I_PAGE_PICTURES, if it is set."""
    if folder := os.environ.get("T2I_PAGE_PICTURES"):
        (Path(folder) / name).write_bytes(page.get_screenshot_as_png())


CONTRASTS = """
const luminance = (rgb) => {
  const [r, g, b] = rgb.match(/[0-9.]+/g).map(Number).map((c) => c / 255)
    .map((c) => c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const contrast = (one, other) => {
  const [low, high] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (high + 0.05) / (low + 0.05);
};
const found = {};
for (const name of ["h1", "footer", "figcaption", "button.main", "figure button", "#status", "textarea"]) {
  const element = document.querySelector(name);
  const style = getComputedStyle(element);
  let behind = element;
  const clear = (each) => getComputedStyle(each).backgroundColor === "rgba(0, 0, 0, 0)";
  while (behind.parentElement && clear(behind)) behind = behind.parentElement;
  found[name] = contrast(style.color, getComputedStyle(behind).backgroundColor);
}
return found;
"""
