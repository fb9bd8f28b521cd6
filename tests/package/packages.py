"""The Debian packages of a build tree, made anew in a directory."""
import pathlib
import subprocess


def run(*command, **options):
    """The output of a command that has to go well."""
    done = subprocess.run([str(word) for word in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(map(str, command))}\nended with {done.returncode}:\n{done.stdout}")
    return done.stdout


def make(build, directory):
    """The files, by the names of their packages."""
    run("cpack", "-B", directory, cwd=build)
    return {file.name.split("_")[0]: file for file in pathlib.Path(directory).glob("*.deb")}
