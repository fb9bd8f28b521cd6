#!/usr/bin/env python3
"""What is in the packages, and whether it fits together: files and their modes, configuration, dependencies, the unit.

Usage: contents.py BUILD_DIRECTORY SOURCE_DIRECTORY
"""
import gzip
import pathlib
import re
import shutil
import sys
import tempfile
import unittest

from packages import make, run

BUILD, SOURCE = (pathlib.Path(path).resolve() for path in sys.argv[1:3])
UNIT = "usr/lib/systemd/system/stratumproxyd.service"
TEMPLATE = "usr/lib/systemd/system/stratumproxyd@.service"
MOST_EXPOSURE = 2.0  # systemd's own scale, from 0 to 10


class Packages(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.work = pathlib.Path(cls.enterClassContext(tempfile.TemporaryDirectory(prefix="stratumproxy-packages.")))
        cls.packages = make(BUILD, cls.work)
        cls.root = {}
        for name, file in cls.packages.items():
            cls.root[name] = cls.work / name
            run("dpkg-deb", "--raw-extract", file, cls.root[name])

    def field(self, package, name):
        return run("dpkg-deb", "--field", self.packages[package], name).strip()

    def modes(self, package):
        listing = [line.split(maxsplit=5) for line in run("dpkg-deb", "--contents", self.packages[package]).splitlines()]
        return {path.removeprefix("."): (mode, owner) for mode, owner, _, _, _, path in listing}

    def unit(self, name=UNIT):
        return (self.root["stratumproxy"] / name).read_text()

    def value(self, key):
        return re.search(rf"^{key}=(.*)$", self.unit(), re.M)[1]

    def test_there_are_two_with_the_version_of_the_project(self):
        self.assertEqual(sorted(self.packages), ["libstratumproxy-dev", "stratumproxy"])
        version = re.search(r"^project\(\w+ VERSION (\S+)", (SOURCE / "CMakeLists.txt").read_text(), re.M)[1]
        for package in self.packages:
            self.assertEqual(self.field(package, "Version"), f"{version}-1")
            changes = self.root[package] / f"usr/share/doc/{package}/changelog.Debian.gz"
            self.assertIn(f"({version}-1)", gzip.decompress(changes.read_bytes()).decode())
            self.assertIn("Permission is hereby granted", (changes.parent / "copyright").read_text())

    def test_the_daemon_is_there_with_all_it_reads(self):
        modes = self.modes("stratumproxy")
        for program in ("stratumproxyd", "stratumload"):
            self.assertEqual(modes[f"/usr/bin/{program}"], ("-rwxr-xr-x", "root/root"))
        for file in (SOURCE / "migrations").rglob("*.sql"):
            self.assertIn(f"/usr/share/stratumproxy/migrations/{file.relative_to(SOURCE / 'migrations')}", modes)
        for page in (SOURCE / "docs").glob("*.md"):
            self.assertIn(f"/usr/share/doc/stratumproxy/{page.name}", modes, "a page that cmake/install_daemon.cmake does not name")
        for page in (SOURCE / "docs/man").glob("*"):
            self.assertIn(f"/usr/share/man/man{page.suffix[1:]}/{page.name}.gz", modes)
        for file in ("bash-completion/completions/stratumproxyd", "zsh/vendor-completions/_stratumproxyd", "fish/vendor_completions.d/stratumproxyd.fish"):
            self.assertIn("user", (self.root["stratumproxy"] / "usr/share" / file).read_text())
        self.assertFalse([path for path, (mode, _) in modes.items() if "w" in mode[5:]], "writable for others than root")
        # Nothing of the machine that built it.
        self.assertNotIn(str(SOURCE).encode(), (self.root["stratumproxy"] / UNIT).read_bytes())

    def test_the_configuration_is_the_administrators(self):
        conffiles = (self.root["stratumproxy"] / "DEBIAN/conffiles").read_text().split()
        self.assertEqual(conffiles, [path for path in self.modes("stratumproxy") if path.startswith("/etc/") and not path.endswith("/")])
        self.assertIn(conffiles[0], self.value("ExecStart"))

    def test_dependencies_are_found_by_what_the_programs_link(self):
        depends = self.field("stratumproxy", "Depends")
        for library in ("libc6", "libpqxx", "libsqlite3-0", "libssl3", "publicsuffix", "systemd-standalone-sysusers"):
            self.assertIn(library, depends)
        self.assertNotIn("-dev", depends)
        for library in ("libfmt-dev", "libpsl-dev", "libssl-dev", "libcrypto++-dev", "libargon2-dev", "libasio-dev"):
            self.assertIn(library, self.field("libstratumproxy-dev", "Depends"))

    def test_the_library_is_there_with_all_its_headers(self):
        files = self.modes("libstratumproxy-dev")
        include = SOURCE / "libstratumproxy/include"
        for header in include.rglob("*.hpp"):
            self.assertIn(f"/usr/include/{header.relative_to(include)}", files)
        for name in ("libstratumproxy.a", "stratumproxy.pc", "stratumproxy-config.cmake", "stratumproxy-config-version.cmake"):
            self.assertTrue([path for path in files if path.endswith(f"/{name}")], name)

    def test_scripts_are_scripts(self):
        for script in ("postinst", "prerm", "postrm"):
            file = self.root["stratumproxy"] / "DEBIAN" / script
            self.assertTrue(file.stat().st_mode & 0o111)
            run("sh", "-n", file)

    def test_the_unit_fits_the_package(self):
        files = self.modes("stratumproxy")
        self.assertIn(self.value("ExecStart").split()[0], files)
        users = (self.root["stratumproxy"] / "usr/lib/sysusers.d/stratumproxy.conf").read_text().split()
        self.assertEqual([self.value("User"), self.value("Group")], [users[1], users[1]])
        self.assertIn(f"/{self.value('StateDirectory')}/", (self.root["stratumproxy"] / "etc/stratumproxy/stratumproxy.toml").read_text())

    def test_an_instance_of_the_template_takes_the_place_of_the_service(self):
        other = self.unit(TEMPLATE).replace("Description=Stratum mining proxy (%i)", "Description=Stratum mining proxy").replace(".toml --takeover", ".toml")
        self.assertEqual(other, self.unit())
        # Both have the directory of the socket, and neither takes it from the other.
        self.assertEqual(self.value("RuntimeDirectoryPreserve"), "yes")
        socket = f"\"/run/{self.value('RuntimeDirectory')}/handover\""
        self.assertIn(socket, (self.root["stratumproxy"] / "etc/stratumproxy/stratumproxy.toml").read_text())
        for page in ("operations.md", "packages.md"):
            self.assertIn(socket, (SOURCE / "docs" / page).read_text())

    def test_pages_and_help_name_the_users_and_places_of_the_package(self):
        program = self.root["stratumproxy"] / "usr/bin/stratumproxyd"
        texts = {page.name: page.read_text() for page in [*(SOURCE / "docs").glob("*.md"), *(SOURCE / "docs/man").glob("*"), *(SOURCE / "docs").glob("*.toml")]}
        for command in ((), ("status",), ("import-seed",)):
            texts[" ".join(("--help", *command))] = run(program, *command, "--help")
        places = {"/etc/stratumproxy", f"/var/lib/{self.value('StateDirectory')}", f"/run/{self.value('RuntimeDirectory')}"}
        for name, text in texts.items():
            self.assertLessEqual(set(re.findall(r"/(?:etc|var/lib|run)/stratumproxy[a-z]*", text)), places, name)
            self.assertLessEqual(set(re.findall(r"sudo -u (\S+)", text)), {self.value("User")}, name)

    def test_installed_elsewhere_the_unit_says_where_and_a_configuration_that_is_there_stays(self):
        prefix = self.work / "elsewhere"
        install = ("cmake", "--install", BUILD, "--prefix", prefix, "--component", "daemon")
        run(*install)
        command = re.search(r"^ExecStart=(.*)$", (prefix / "lib/systemd/system/stratumproxyd.service").read_text(), re.M)[1].split()
        self.assertEqual(command, [f"{prefix}/bin/stratumproxyd", "--config", f"{prefix}/etc/stratumproxy/stratumproxy.toml"])
        self.assertIn("stratumproxy", run(command[0], "--version"))
        configuration = pathlib.Path(command[2])
        configuration.write_text("# mine\n")
        run(*install)
        self.assertEqual(configuration.read_text(), "# mine\n")

    @unittest.skipUnless(shutil.which("systemd-analyze"), "systemd-analyze is not installed")
    def test_systemd_takes_the_unit_and_finds_it_closed(self):
        here = self.root["stratumproxy"] / "usr/bin/stratumproxyd"
        for name in (UNIT, TEMPLATE):
            unit = self.work / pathlib.Path(name).name.replace("@", "@blue")
            unit.write_text(self.unit(name).replace("/usr/bin/stratumproxyd", str(here)))
            self.assertEqual(run("systemd-analyze", "verify", "--man=no", unit), "")
            report = run("systemd-analyze", "security", "--offline=true", "--no-pager", unit)
            exposure = float(re.search(r"Overall exposure level for \S+: ([\d.]+)", report)[1])
            print(f"exposure {exposure}")
            self.assertLessEqual(exposure, MOST_EXPOSURE, report)

    @unittest.skipUnless(shutil.which("lintian"), "lintian is not installed")
    def test_lintian_finds_no_error(self):
        report = run("lintian", "--fail-on", "error", "--allow-root", *self.packages.values())
        self.assertNotRegex(report, "(?m)^E:")


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
