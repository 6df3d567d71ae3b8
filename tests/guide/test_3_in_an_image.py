"""Projects in images: what is copied is enough for their processes, with the libraries of worker.lock and no others."""

import json
import os
import shutil
import subprocess
import uuid
from contextlib import ExitStack

import pyarrow.parquet as pq
import pytest
import yaml
from weir.operations import bundles, new_service, projects, services
from weir.settings import ROOT, load

from tests import image
from tests.waiting import COMMAND_S, PATIENT, START_S, ended, until

TRAINED = ROOT / "tests" / "toolchains" / "pytorch"
VALUES = {"fraud": "if(label = 'phishing', attributes['saved'], -5)", "load-of-sites": "-abs(score - observed)"}
MODELS = {"fraud": "torch-binary-dynamo", "load-of-sites": "torch-regression-dynamo"}
pytestmark = pytest.mark.skipif("WEIR_TEST_IMAGES" not in os.environ, reason="takes minutes: `make images` runs it")
PREPARE = (["topics", "create"], ["migrate"], ["apply"])


@pytest.fixture
def around(stack):
    """What a container of a deployment of its own is told of the services around it."""
    unique = uuid.uuid4().hex[:8]
    return {
        "WEIR_BROKERS": stack.settings.kafka.brokers,
        "WEIR_REGISTRY_URL": stack.settings.registry.registry_url,
        "WEIR_CLICKHOUSE_URL": stack.settings.recording.clickhouse_url,
        "WEIR_DEPLOYMENT": f"image-{unique}",
        "WEIR_CLICKHOUSE_DATABASE": f"image_{unique}",
        "WEIR_SESSION_TIMEOUT_S": "3",
    }


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A team's project with two services, built, as it stands in their repository."""
    made = tmp_path / "Shop"
    projects.init(made)
    monkeypatch.chdir(made)
    for service, case in MODELS.items():
        trained = tmp_path / service
        shutil.copytree(TRAINED / case, trained)
        rows = pq.read_table(trained / "rows.parquet").drop_columns(["scores"])
        pq.write_table(rows, trained / "rows.parquet")
        model = json.loads((trained / "case.json").read_text())["file"]
        new_service.add(service, trained / model, trained / "rows.parquet", new_service.Wishes(), load())
        spec = services.spec_of(service, load())
        text = spec.read_text()
        spec.write_text(f"value: {json.dumps(VALUES[service])}\n{text}")
        bundles.build(spec, load())
    return made


def weir_steps():
    """Of Weir's own image, target worker: the instructions of its stage and of those that it is made from."""
    found = image.stages(ROOT / "infra" / "Dockerfile")
    return [(*step, ROOT) for name in ("base", "worker") for step in found[name]]


@pytest.mark.timeout(1200)
def test_the_image_of_a_project_serves_it(project, around, tmp_path, worker_image):
    steps = image.stages(project / "Dockerfile")["last"]
    assert steps[0] == ("FROM", "weir-worker:0.1.0")
    assert 5 <= len((project / "Dockerfile").read_text().splitlines()) <= 8
    made = image.image([*weir_steps(), *((*step, project) for step in steps)], tmp_path / "root", worker_image)
    held = {path.relative_to(made.folder).as_posix() for path in made.folder.rglob("*") if path.is_file()}
    assert "services/fraud/service.yaml" in held
    assert "schemas/requests.fraud/v1.avsc" in held
    assert not [name for name in held if name.startswith("services/") and not name.endswith("service.yaml")]
    shutil.rmtree(project)  # nothing is read from where it was built
    for command in PREPARE:
        made.run(*command, **around)
    workers = [["worker", "scorer", "--bundle", service] for service in MODELS] + [["worker", "recorder"]]
    with ExitStack() as running:
        for worker in workers:
            process = made.process(**around)
            log = running.enter_context((tmp_path / f"{worker[-1]}.log").open("w"))
            running.enter_context(ended(subprocess.Popen(made.command(*worker), **process, stdout=log, stderr=log)))
        for service in MODELS:
            said = made.run("send", service, "--sample", "3", "--json", *PATIENT, **around)
            answers = [json.loads(line) for line in said.splitlines()]
            assert len(answers) == 3
            lines = [
                {
                    "request_id": one["request_id"],
                    **({"label": "1", "saved": 70} if service == "fraud" else {"observed": 1}),
                }
                for one in answers
            ]
            (tmp_path / "outcomes.jsonl").write_text("\n".join(map(json.dumps, lines)))
            made.run("outcomes", "send", service, str(tmp_path / "outcomes.jsonl"), **around)
        asked = (
            "SELECT service, count() AS n, sum(value) AS worth FROM results_{} WHERE value IS NOT NULL GROUP BY service"
        )

        def worth(service):
            sql = asked.format(service.replace("-", "_"))
            return json.loads(made.run("query", sql, "--json", **around))

        until(lambda: [row["n"] for row in worth("fraud")] == [3], START_S, "values of fraud")
        assert float(worth("fraud")[0]["worth"]) == 210
        until(lambda: [row["n"] for row in worth("load-of-sites")] == [3], START_S, "values of load-of-sites")
        assert float(worth("load-of-sites")[0]["worth"]) < 0
    assert {path.name for path in (made.folder / ".weir").iterdir()} == {"bundles"}  # the rest is on the volume


@pytest.mark.timeout(1200)
def test_the_image_of_the_flights_sets_up_what_its_workers_need(around, tmp_path, worker_image):
    steps = [(*step, ROOT) for step in image.stages(ROOT / "infra" / "Dockerfile")["flights"]]
    made = image.image([*weir_steps(), *steps], tmp_path / "root", worker_image)
    setup = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]["setup"]["command"][0]
    for command in setup.split("&&"):
        made.run(*command.split()[1:], **around)
    views = json.loads(made.run("migrate", "--json", **around))["views"]
    assert {"flight-delay", "flight-delay-class", "flight-delay-minutes"} == {view["service"] for view in views}
    imports = "import weir.demo.features.agent, weir.agents.canary.agent"
    subprocess.run([worker_image, "-P", "-c", imports], **made.process(), check=True, timeout=COMMAND_S)
