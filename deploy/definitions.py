"""Fetches Strimzi's own definitions of its resources, by the resolver that fetches Kafka's jars.

definitions.py FOLDER: writes a YAML file there for each kind of resource that is used.
"""

import subprocess
import sys
from pathlib import Path

from jgo.maven import MavenContext, PythonResolver

from chandler.streams.embedded.java import bundled_java, find_java

VERSION = "0.45.0"
GENERATOR = "io.strimzi.crdgenerator.CrdGenerator"
PACKAGES = {
    "Kafka": "io.strimzi.api.kafka.model.kafka",
    "KafkaNodePool": "io.strimzi.api.kafka.model.nodepool",
    "KafkaTopic": "io.strimzi.api.kafka.model.topic",
    "KafkaUser": "io.strimzi.api.kafka.model.user",
}


def main(folder: Path) -> int:
    """Runs the generator over each kind."""
    folder.mkdir(parents=True, exist_ok=True)
    context = MavenContext(resolver=PythonResolver(), repo_cache=folder / "repository")
    asked = [
        context.create_dependency(f"io.strimzi:{name}:{VERSION}")
        for name in ("api", "crd-generator")
    ]
    first, rest = context.resolver.resolve(asked)
    jars = ":".join(str(one.artifact.resolve()) for one in (*first, *rest))
    command = [str(find_java({}, bundled_java())), "-cp", jars, GENERATOR, "--yaml"]
    kinds = [f"{PACKAGES[kind]}.{kind}={folder / kind}.yaml" for kind in PACKAGES]
    return subprocess.run([*command, *kinds], check=False).returncode


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
