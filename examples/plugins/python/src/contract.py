"""One task for each part of the contract, the same in every language: the tests of the languages call them."""

from orch import Denied, Dependency, Failed, InvalidInput, Rejected, Skipped, check_cancelled, info, log, task


@task("echo")
def echo(given):
    return given


@task("read")
def read(given):
    path = given["path"]
    try:
        with open(path, encoding="utf-8") as file:
            return {"text": file.read()}
    except OSError:
        raise Denied("fs", path) from None


@task("end")
def end(given):
    match given["how"]:
        case "rejected":
            return Rejected({"no": True})
        case "skipped":
            return Skipped("nothing to do")
        case "invalid-input":
            raise InvalidInput("how: é is no way")
        case "dependency":
            raise Dependency("service", "it is away", retryable=True)
        case "failed":
            raise Failed("it broke")
        case "trap":
            raise RuntimeError("a bug")
    raise InvalidInput("how: unknown")


@task("say")
def say(given):
    for level in ("trace", "debug", "info", "warn", "error"):
        log(level, given["text"], level=level)
    print("printed", flush=True)
    return None


@task("wait")
def wait(given):
    info("started")
    while True:
        check_cancelled()


@task("grow")
def grow(given):
    held = []
    while True:
        held.append(bytearray(1 << 20))
