"""All scripts as one: each before whoever needs it, with what it gives, and nothing that is not understood."""

import pytest
from weir.web.console import scripts, words

FOLDER = words.FOLDER / "static"


def test_every_script_is_in_it_once_behind_what_it_needs():
    text = scripts.joined(FOLDER)
    order = [line.split()[1].removeprefix("of_") for line in text.splitlines() if line.startswith("const of_")]
    assert sorted(order) == sorted(path.stem for path in FOLDER.glob("*.js") if path.stem != "early")
    for name in order:
        needed = [one for _, one in scripts.IMPORT.findall((FOLDER / f"{name}.js").read_text())]
        assert all(order.index(one) < order.index(name) for one in needed)


def test_what_one_gives_others_have(tmp_path):
    (tmp_path / "console.js").write_text('import { twice } from "./sums.js";\nimport "./other.js";\nlog(twice(2));\n')
    (tmp_path / "sums.js").write_text("const two = 2;\nexport const twice = x => two * x;\nexport class Sum {}\n")
    (tmp_path / "other.js").write_text("export async function later() {}\n")
    text = scripts.joined(tmp_path)
    assert text.index("const of_sums") < text.index("const of_other") < text.index("const of_console")
    assert "return { twice, Sum };" in text
    assert "const { twice } = of_sums;" in text
    assert "return { later };" in text
    assert "import" not in text
    assert "export" not in text


@pytest.mark.parametrize(
    "line", ['import all from "./a.js";', "export default 1;", 'export { a } from "./a.js";', "export let a = 1;"]
)
def test_another_form_of_import_is_refused_where_it_is_written(tmp_path, line):
    (tmp_path / "console.js").write_text(f"{line}\n")
    with pytest.raises(ValueError, match=r"console\.js: .* is not understood"):
        scripts.joined(tmp_path)


def test_scripts_do_not_need_each_other(tmp_path):
    (tmp_path / "console.js").write_text('import "./a.js";\n')
    (tmp_path / "a.js").write_text('import "./console.js";\n')
    with pytest.raises(ValueError, match="needs itself: console -> a -> console"):
        scripts.joined(tmp_path)
