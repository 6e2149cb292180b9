"""What the documents say of the program is so, and their links lead somewhere."""

import json
import os
import re
import unittest

import yaml

import program

ROOT = program.ROOT
MANUAL = ROOT / "packaging" / "finwait_exporter.8"
NOT_OURS = {"build", ".cache", ".git", "node_modules"}
MARKDOWN = sorted(path for path in ROOT.rglob("*.md") if not NOT_OURS & set(path.relative_to(ROOT).parts))
# Whatever a person reads before or while running the program. The changelog is left out: it also tells of what was.
DOCUMENTS = [
    *(path for path in MARKDOWN if path.name != "CHANGELOG.md"),
    MANUAL,
    ROOT / "packaging" / "deb" / "default",
    ROOT / "packaging" / "container" / "Dockerfile",
    *(path for path in (ROOT / "helm").rglob("*.yaml") if not path.is_symlink()),
    *(ROOT / "helm").rglob("NOTES.txt"),
    *(ROOT / "scripts").glob("*.sh"),
    *(ROOT / "tools").glob("*.sh"),
]
OWN_FLAG = re.compile(r"--(?:no-)?(?:web|log|path|sampling|report|collector)\.[a-z0-9_-]+(?:\.[a-z0-9_-]+)*")


def text_of(path):
    return path.read_text().replace("\\-", "-")


def documents(pattern):
    """(document, match) for each match in each document."""
    for path in DOCUMENTS:
        for match in re.findall(pattern, text_of(path)):
            yield path.relative_to(ROOT), match


def table_below(path, heading):
    """The first cells, unquoted, of the first table below a Markdown heading."""
    section = re.search(rf"^#+ {re.escape(heading)}\n(.*?)(?=^#)", path.read_text() + "\n#", re.M | re.S)[1]
    return re.findall(r"^\| (`[^|]+`) \|", section, re.M)


class Truth(unittest.TestCase):
    """The checks below compare with something."""

    def test_the_program_s_own_lists_are_not_empty(self):
        self.assertGreaterEqual(len(program.metrics()), 60)
        self.assertGreaterEqual(len(program.paths()), 8)
        self.assertGreaterEqual(len(program.collectors()), 7)
        self.assertIn(ROOT / "README.md", DOCUMENTS)


class Documents(unittest.TestCase):
    def test_they_name_no_metric_that_the_program_does_not_have(self):
        known = program.metrics() | {"finwait_exporter"}
        for path, (name, rest) in documents(r"\b(?<!:)(finwait_[a-z0-9_]+)(\*?)"):
            if path.suffix == ".sh" or "ansible" in path.parts:  # names targets, processes and the role's variables, too
                continue
            fits = any(one.startswith(name) for one in known) if rest else name in known
            self.assertTrue(fits, f"{path}: {name}{rest}")

    def test_the_catalogue_has_every_metric_of_a_real_scrape(self):
        """Of the golden one, which e2e tests hold against the program. The other way round, a lab shows not all there is."""
        scraped = re.findall(r"^# TYPE (\S+)", (ROOT / "tests" / "golden" / "metrics.txt").read_text(), re.M)
        missing = set(scraped) - program.metrics()
        self.assertFalse(missing, "make them part of the complete samples in metrics_document_test.cc")

    def test_they_name_no_flag_that_the_program_does_not_have(self):
        known = program.flags()
        for path, flag in documents(OWN_FLAG):
            self.assertIn(flag, known, path)

    def test_they_call_the_job_one_name(self):
        found = list(documents(r"job_name: *([^\s#]+)"))
        self.assertGreaterEqual(len(found), 3)
        for path, name in found:
            self.assertEqual(name, "finwait_exporter", path)

    def test_the_readme_and_the_manual_have_every_path_and_no_other(self):
        rows = table_below(ROOT / "README.md", "What it serves")
        self.assertEqual(set(re.findall(r"`(/[^`]*)`", " ".join(rows))), program.paths())
        section = re.search(r"^\.SH PATHS\n(.*?)^\.SH", text_of(MANUAL), re.M | re.S)[1]
        self.assertEqual(set(re.findall(r"(?<![\w.])/[\w/-]*", section)), program.paths())

    def test_the_readme_and_the_chart_have_every_collector_and_no_other(self):
        rows = table_below(ROOT / "README.md", "Collectors")
        self.assertEqual({row.strip("`") for row in rows}, program.collectors())
        schema = json.loads((ROOT / "helm" / "finwait-exporter" / "values.schema.json").read_text())
        self.assertEqual(set(schema["properties"]["disabledCollectors"]["items"]["enum"]), program.collectors())

    def test_there_is_one_version(self):
        chart = yaml.safe_load((ROOT / "helm" / "finwait-exporter" / "Chart.yaml").read_text())
        changelog = (ROOT / "packaging" / "deb" / "changelog").read_text()
        dockerfile = (ROOT / "packaging" / "container" / "Dockerfile").read_text()
        self.assertEqual(
            {
                "chart": chart["version"],
                "chart's program": chart["appVersion"],
                "deb": re.match(r"\S+ \(([^)]+)\)", changelog)[1],
                "image": re.search(r"^ARG VERSION=(\S+)", dockerfile, re.M)[1],
            },
            dict.fromkeys(["chart", "chart's program", "deb", "image"], program.version()),
        )


def anchors(path):
    """As GitHub makes them of headings."""
    made = set()
    for heading in re.findall(r"^#+ (.+)$", path.read_text(), re.M):
        words = re.sub(r"[`*]|\[([^]]*)\]\([^)]*\)", r"\1", heading).lower()
        made.add(re.sub(r"[^\w\- ]", "", words).replace(" ", "-"))
    return made


class Links(unittest.TestCase):
    def test_each_leads_to_a_file_and_a_heading_that_are_there(self):
        for path in MARKDOWN:
            without_code = re.sub(r"```.*?```|`[^`]*`", "", path.read_text(), flags=re.S)
            for target in re.findall(r"\]\(([^)\s]+)\)|<img [^>]*src=\"([^\"]+)\"", without_code):
                target = target[0] or target[1]
                if re.match(r"[a-z]+:", target):
                    continue
                with self.subTest(f"{path.relative_to(ROOT)}: {target}"):
                    name, _, anchor = target.partition("#")
                    there = (path.parent / name).resolve() if name else path
                    self.assertTrue(there.exists())
                    if anchor:
                        self.assertIn(anchor, anchors(there))

    def test_scripts_and_folders_named_in_the_documents_are_there(self):
        for path, name in documents(r"`((?:scripts|tools|tests|packaging|dashboards|docs|exporter|collectors|helm)/[\w./-]*)[` ]"):
            if path.suffix == ".md" and not re.search("[A-Z]{4}", name):  # collectors/NAME.h
                self.assertTrue((ROOT / name).exists(), f"{path}: {name}")


class Workflow(unittest.TestCase):
    """The hosted continuous integration, which nothing here can run."""

    def setUp(self):
        self.text = (ROOT / ".github" / "workflows" / "ci.yml").read_text()
        self.jobs = yaml.safe_load(self.text)["jobs"]

    def test_scripts_that_it_runs_are_there_and_executable(self):
        scripts = set(re.findall(r"(?<![\w/.])(?:scripts|tools|tests|packaging)/[\w./-]+", self.text))
        self.assertGreaterEqual(len(scripts), 4)
        for name in scripts:
            path = ROOT / name
            self.assertTrue(path.exists(), name)
            self.assertTrue(path.suffix != ".sh" or os.access(path, os.X_OK), name)

    def test_its_presets_build_where_it_tests(self):
        presets = {one["name"]: one for one in json.loads((ROOT / "CMakePresets.json").read_text())["configurePresets"]}
        for name in self.jobs["sanitizers"]["strategy"]["matrix"]["preset"]:
            self.assertEqual(presets[name]["binaryDir"], "${sourceDir}/build/" + name)

    def test_jobs_need_jobs_that_are_there_and_are_bounded_in_time(self):
        for name, job in self.jobs.items():
            self.assertLessEqual(set(job.get("needs", [])), set(self.jobs), name)
            self.assertIn("timeout-minutes", job, name)
            for step in job["steps"]:
                self.assertEqual(len({"run", "uses"} & set(step)), 1, f"{name}: {step}")


if __name__ == "__main__":
    unittest.main()
