#!/usr/bin/python3
"""Holds the sources against the plan of the house: folder = namespace = library.

The plan is the list of finwait_library() calls in CMakeLists.txt. A file may include headers of its own folder and of the
libraries that its folder links by name, and a folder links none that it does not include; its code stands in the namespace of its folder; no folder has two types of one name
(the fault that the compiler need not report: one definition rule); tests stand where their sources stand, and say in a line what they hold.
"""
import fnmatch
import pathlib
import re
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]

# The base of a level gives its names to the level's own namespace: what stands there is used by everything below.
NAMESPACES = {"collectors/base": "finwait", "collectors/firewall/model": "finwait::firewall"}
# Files of exporter/ itself are the program: they link everything and wire it together.
PROGRAM = "exporter"
LONGEST_TEST_NAME = 60


def libraries(root):
    """Each library's folder, with the folders of the libraries that it links."""
    text = (root / "CMakeLists.txt").read_text()
    by_name, links = {}, {}
    for call in re.finditer(r"^finwait_library\(([^)]*)\)", text, re.MULTILINE):
        folder, *rest = call.group(1).split()
        names = [word for word in rest[1:] if "::" not in word]
        unknown = [name for name in names if name not in by_name]
        if unknown:
            raise SystemExit(f"CMakeLists.txt: {folder} links {', '.join(unknown)}, which no line above declares")
        links[folder] = [by_name[name] for name in names]
        by_name[re.sub("^(collectors|exporter)/", "", folder).replace("/", "_")] = folder
    return links


def sources(root, top):
    return sorted(path.relative_to(root) for path in (root / top).rglob("*") if path.suffix in (".h", ".cc"))


def without_comments(text):
    return re.sub(r"//[^\n]*|/\*.*?\*/", "", text, flags=re.DOTALL)


def namespace_of(folder):
    if folder in NAMESPACES:
        return NAMESPACES[folder]
    return "finwait::" + re.sub("^collectors/|^exporter/", "", folder).replace("/", "::")


# Read by a program in C as well, which has no namespaces.
SHARED_WITH_C = {
    "collectors/witness/event.h",
    "collectors/witness/kernel_types.bpf.h",
    "collectors/witness/netfilter_record.h",
    "collectors/witness/table_record.h",
}


def check_includes(root, links):
    for path in sources(root, "collectors") + sources(root, "exporter"):
        folder = str(path.parent)
        if folder == PROGRAM:
            continue
        if folder not in links:
            yield f"{path}: its folder is no library of CMakeLists.txt"
            continue
        for included in re.findall(r'^#include "([^"]+)"', (root / path).read_text(), re.MULTILINE):
            target = str(pathlib.PurePath(included).parent)
            if not (root / included).is_file():
                yield f"{path}: includes {included}, which is not there"
            elif target != folder and target not in links[folder]:
                yield f"{path}: includes {included}, but {folder} does not link {target}"


# What they are asked they answer by samples and facts: nothing of the host is read while it is evaluated.
EVALUATORS = ("collectors/firewall/packet", "collectors/firewall/xt", "collectors/firewall/eval", "collectors/firewall/classes",
          "exporter/diagnosis", "exporter/report")


def check_evaluators(root, links):
    for folder in EVALUATORS:
        for path in sources(root, folder):
            if '#include "collectors/kernel/host.h"' in (root / path).read_text():
                yield f"{path}: whoever evaluates asks nobody, and this includes collectors/kernel/host.h"


def check_links(root, links):
    """The picture of the house shows no dependency that is not there."""
    for folder, linked in links.items():
        texts = [path.read_text() for path in (root / folder).glob("*") if path.suffix in (".h", ".cc")]
        for other in linked:
            if not any(re.search(rf'^#include "{other}/[^/"]+"', text, re.MULTILINE) for text in texts):
                yield f"{folder}: links {other}, of which no file of it includes anything"


def check_namespaces(root, links):
    for path in sources(root, "collectors") + sources(root, "exporter"):
        folder = str(path.parent)
        if path.name == "main.cc" or str(path) in SHARED_WITH_C or (folder not in links and folder != PROGRAM):
            continue
        expected = "finwait::exporter" if folder == PROGRAM else namespace_of(folder)
        found = re.findall(r"^namespace (finwait[\w:]*) \{", (root / path).read_text(), re.MULTILINE)
        if not found:
            yield f"{path}: has no namespace; expected {expected}"
        for name in found:
            if name != expected and not name.startswith(expected + "::"):
                yield f"{path}: stands in {name}; its folder is {expected}"


def check_types(root, links):
    """Types that are defined at the level of a namespace, by folder: two of one name are one type to the linker."""
    for folder in links:
        seen = {}
        for path in sorted((root / folder).glob("*")):
            if path.suffix not in (".h", ".cc"):
                continue
            text = re.sub(r"^namespace \{$.*?^\}  // namespace$", "", path.read_text(), flags=re.DOTALL | re.MULTILINE)
            kinds = r"^(?:class|struct|enum class|enum) (\w+)(?!\w|::)[^;{(]*\{"
            for name in re.findall(kinds, without_comments(text), re.MULTILINE):
                if name in seen and seen[name] != path.name:
                    yield f"{folder}: {path.name} and {seen[name]} both define {name}"
                seen[name] = path.name


def check_tests(root, links):
    for kind in ("unit", "kernel"):
        for top in ("collectors", "exporter"):
            for path in sources(root, f"tests/{kind}/{top}"):
                mirrored = path.parent.relative_to(f"tests/{kind}")
                if not (root / mirrored).is_dir():
                    yield f"{path}: there is no folder {mirrored} that it could test"


def check_test_names(root, links):
    for path in sources(root, "tests"):
        for name in re.findall(r"^TEST(?:_[FP])?\(\s*\w+,\s*(\w+)\)", (root / path).read_text(), re.MULTILINE):
            if len(name) > LONGEST_TEST_NAME:
                yield f"{path}: {name} has {len(name)} characters, {LONGEST_TEST_NAME} are the most"


def unnamed(text):
    """Names at the level of an unnamed namespace."""
    text = re.sub(r'"(?:\\.|[^"\\\n])*"', '""', without_comments(text))
    for block in re.findall(r"^namespace \{$(.*?)^\}$", re.sub(r"^\} +$", "}", text, flags=re.MULTILINE), re.DOTALL | re.MULTILINE):
        for line in block.splitlines():
            line = re.sub(r"<[^<>]*>", "", re.sub(r"<[^<>]*>", "", line))
            kind = re.match(r"(?:class|struct|enum class|enum) (\w+)(?!.*;$)", line)
            other = re.match(r"(?!TEST|INSTANTIATE|MATCHER|using|template|class|struct|enum)\w.*?[\s&*](\w+)(?:\[\w*\])*(?:\(| = |\{|;)", line)
            if kind or other:
                yield (kind or other).group(1)


def check_unnamed(root, links):
    """Tests are compiled several at once (FINWAIT_UNITY): a name that two of one namespace have would then stand twice."""
    for kind in ("unit", "kernel", "e2e"):
        seen = {}
        for path in sources(root, f"tests/{kind}"):
            if path.suffix != ".cc":
                continue
            text = (root / path).read_text()
            namespace = re.search(r"^namespace (finwait[\w:]*) \{", text, re.MULTILINE)
            for name in unnamed(text):
                first = seen.setdefault((namespace.group(1) if namespace else "", name), path)
                if first != path:
                    yield f"{path}: {name} stands in {first}, too; both may be compiled at once"


def check_extensions(root, links):
    """What an extension of x_tables is called is known in its file alone: others ask for its traits."""
    for path in sources(root, "collectors") + sources(root, "exporter"):
        if str(path.parent) == "collectors/firewall/xt":
            continue
        for name in re.findall(r'\b(?:match|target)(?:->|\.)name [!=]= ("\w+")', (root / path).read_text()):
            yield f"{path}: knows an extension by its name, {name}"


# Flat rooms that are so large that docs/architecture.md says what stands in them.
LARGE_ROOMS = ("collectors/kernel", "exporter/diagnosis")


def check_rooms(root, links):
    document = root / "docs/architecture.md"
    if not document.is_file():
        return
    for room in LARGE_ROOMS:
        table = re.search(rf"^\| of `{pathlib.PurePath(room).name}` \|.*?\n\n", document.read_text(), re.MULTILINE | re.DOTALL)
        patterns = re.findall(r"`([\w*]+)`", table.group(0))[1:] if table else []
        names = {path.stem for path in (root / room).glob("*.h")}
        for name in sorted(names):
            if not any(fnmatch.fnmatch(name, pattern) for pattern in patterns):
                yield f"docs/architecture.md: says nothing of {room}/{name}"
        for pattern in patterns:
            if not any(fnmatch.fnmatch(name, pattern) for name in names):
                yield f"docs/architecture.md: {room} has no {pattern}"


def check_tools(root, links):
    """CONTRIBUTING.md names every tool, but for the parts that only other tools use."""
    document = root / "CONTRIBUTING.md"
    if not document.is_file():
        return
    tools = [path for top in ("tools", "scripts") for path in sorted((root / top).glob("*")) if path.is_file()]
    users = [path for path in tools + [root / "tests/CMakeLists.txt"] if path.is_file()]
    for tool in tools:
        is_part = any(tool.name in path.read_text() for path in users if path != tool)
        if tool.name not in document.read_text() and not is_part:
            yield f"CONTRIBUTING.md: says nothing of {tool.relative_to(root)}"


CHECKS = (check_includes, check_evaluators, check_links, check_extensions, check_rooms, check_namespaces, check_types, check_tests, check_test_names, check_unnamed,
          check_tools)


def faults(root):
    links = libraries(root)
    return [fault for check in CHECKS for fault in check(root, links)]


def finds_each_fault():
    """Breaks a small house in each way; every check must name its fault."""
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        (root / "CMakeLists.txt").write_text(
            "finwait_library(collectors/base)\nfinwait_library(collectors/kernel LINKS base A::B)\n"
            "finwait_library(exporter/report LINKS kernel)\n"
        )

        def write(path, text):
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(text)

        write("collectors/base/a.h", "namespace finwait {\nstruct A {};\n}\n")
        write("collectors/kernel/k.h", '#include "collectors/base/a.h"\nnamespace finwait::kernel {\nstruct K {};\n}\n')
        write("collectors/kernel/host.h", "namespace finwait::kernel {\n}\n")
        write("exporter/report/r.h", '#include "collectors/kernel/k.h"\nnamespace finwait::report {\n}\n')
        write("tests/unit/collectors/kernel/k_test.cc", "")
        write("exporter/main.cc", "")
        write("CONTRIBUTING.md", "| `tools/a.sh` | proves |\n")
        write("tools/a.sh", ". tools/part.sh\n")
        write("tools/part.sh", "")
        if faults(root):
            yield f"a sound house is refused: {faults(root)}"
        for what, path, text in (
            ("upwards", "collectors/base/b.h", '#include "collectors/kernel/k.h"\nnamespace finwait {\n}\n'),
            ("evaluator", "exporter/report/s.h", '#include "collectors/kernel/host.h"\nnamespace finwait::report {\n}\n'),
            ("missing", "collectors/base/b.h", '#include "collectors/base/none.h"\nnamespace finwait {\n}\n'),
            ("namespace", "collectors/kernel/b.cc", "namespace finwait {\n}\n"),
            ("two types", "collectors/kernel/b.h", "namespace finwait::kernel {\nclass K : public L {\n};\n}\n"),
            ("extension", "collectors/kernel/b.cc", 'namespace finwait::kernel {\nbool b = match->name == "set";\n}\n'),
            ("no library", "collectors/other/b.h", "namespace finwait::other {\n}\n"),
            ("unnamed tool", "tools/b.sh", ""),
            ("stray test", "tests/unit/collectors/gone/k_test.cc", ""),
            ("long name", "tests/unit/collectors/kernel/l_test.cc", f"TEST(A, {'B' * (LONGEST_TEST_NAME + 1)}) {{}}\n"),
        ):
            write(path, text)
            if len(faults(root)) != 1:
                yield f"{what}: expected one fault, found {faults(root)}"
            (root / path).unlink()
        for name in ("one", "other"):
            write(f"tests/e2e/{name}.cc", "namespace finwait::e2e {\nnamespace {\nint Soon() {}\n}  // namespace\n}\n")
        if len(faults(root)) != 1:
            yield f"unnamed twice: expected one fault, found {faults(root)}"
        (root / "tests/e2e/other.cc").unlink()
        write("docs/architecture.md", "| of `kernel` | files |\n|---|---|\n| all | `k`, `host`, `gone` |\n\n")
        write("exporter/diagnosis/d.h", "")
        if sum("architecture.md" in fault for fault in faults(root)) != 2:
            yield f"rooms: expected two faults of the document, found {faults(root)}"
        (root / "docs/architecture.md").unlink()
        (root / "exporter/diagnosis/d.h").unlink()
        write("collectors/kernel/k.h", "namespace finwait::kernel {\nstruct K {};\n}\n")
        if len(faults(root)) != 1:
            yield f"idle link: expected one fault, found {faults(root)}"


def main():
    wrong = list(finds_each_fault()) + faults(ROOT)
    for fault in wrong:
        print(fault)
    print(f"{len(libraries(ROOT))} libraries, {len(wrong)} faults")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
