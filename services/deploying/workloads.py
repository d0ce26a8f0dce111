"""A service's pod, workload, network name and policy, as Kubernetes wants them.

Every pod: a user without rights, a root file system that can't be written, no token, limits.
"""

from services.declaration import Service
from services.deploying.links import (
    OUTSIDE,
    PORT_KAFKA,
    PORT_POSTGRES,
    POSTGRES,
    Around,
    around,
    callers,
    host,
    port,
    served,
)
from services.deploying.text import Plain

USER = 10001
ENVIRONMENT = "chandler-environment"
ACCOUNT = "chandler"
LEDGER_SECRET, ALERTS_SECRET = "chandler-ledger", "chandler-alerts"
GRACE_S = 15  # a drain takes five; what is killed loses nothing, and costs its successor a restore
NAME, PART_OF = "app.kubernetes.io/name", "app.kubernetes.io/part-of"
PRIVATE = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16")

Object = dict[str, Plain]


def labels(name: str) -> Object:
    return {NAME: name, PART_OF: "chandler"}


def objects(service: Service) -> list[Plain]:
    """All that a service needs in the cluster, in the order in which it is made."""
    place = around(service.name)
    found: list[Plain] = [_workload(service, place), _service(service), policy(service)]
    if place.data == "kept":
        found.insert(0, _claim(service))
    return found


def _meta(name: str) -> Object:
    return {"name": name, "labels": labels(name)}


def _workload(service: Service, place: Around) -> Object:
    name = host(service.name)
    spec: Object = {"replicas": 1, "selector": {"matchLabels": {NAME: name}}}
    if place.shards:
        spec["serviceName"] = name
        if service.scalable:
            spec["podManagementPolicy"] = "Parallel"
    elif service.scalable:
        # The old worker's partitions go over to the others before the new one takes some.
        spec["strategy"] = {
            "type": "RollingUpdate",
            "rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1},
        }
    else:
        spec["strategy"] = {"type": "Recreate"}  # two of it at once would end each other
    spec["template"] = {"metadata": {"labels": labels(name)}, "spec": _pod(service, place)}
    return {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet" if place.shards else "Deployment",
        "metadata": _meta(name),
        "spec": spec,
    }


def _pod(service: Service, place: Around) -> Object:
    return _spread(service, place) | {
        "serviceAccountName": ACCOUNT,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": GRACE_S,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": USER,
            "runAsGroup": USER,
            "fsGroup": USER,
            "fsGroupChangePolicy": "OnRootMismatch",
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [_container(service, place)],
        "volumes": _volumes(service, place),
    }


def _spread(service: Service, place: Around) -> Object:
    """Workers of one service on several nodes, as far as there are some."""
    if not (service.scalable or place.shards):
        return {}
    spread: Object = {
        "maxSkew": 1,
        "topologyKey": "kubernetes.io/hostname",
        "whenUnsatisfiable": "ScheduleAnyway",
        "labelSelector": {"matchLabels": {NAME: host(service.name)}},
    }
    return {"topologySpreadConstraints": [spread]}


def _container(service: Service, place: Around) -> Object:
    size = place.size
    open_: list[Plain] = [{"name": "http", "containerPort": port(service.name)}]
    if (also := served(service.name)) is not None:
        open_.append({"name": "served", "containerPort": also})
    mounts: list[Plain] = [
        {"name": "data", "mountPath": "/data"},
        {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 - in memory, the pod's own
    ]
    mounts += [
        {"name": secret, "mountPath": f"/run/secrets/{secret}", "readOnly": True}
        for secret in _secrets(service, place)
    ]
    container: Object = {
        "name": host(service.name),
        "image": "chandler",
        "args": ["run", service.name],
        "envFrom": [{"configMapRef": {"name": ENVIRONMENT}}],
        "ports": open_,
        "startupProbe": _probe("/healthz", period=2, failures=60),
        "livenessProbe": _probe("/healthz", period=10, failures=3),
        "readinessProbe": _probe("/readyz", period=5, failures=2),
        "resources": {
            "requests": {"cpu": size.cpu_request, "memory": size.memory_request},
            "limits": {"cpu": size.cpu_limit, "memory": size.memory_limit},
        },
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": mounts,
    }
    if environment := _environment(service, place):
        container["env"] = environment
    return container


def _secrets(service: Service, place: Around) -> list[str]:
    found = [LEDGER_SECRET] if POSTGRES in place.asks else []
    return [*found, ALERTS_SECRET] if service.name == "notifier" else found


def _environment(service: Service, place: Around) -> list[Plain]:
    files = {
        LEDGER_SECRET: ("CHANDLER_LEDGER_PASSWORD_FILE", "ledger_password"),
        ALERTS_SECRET: ("CHANDLER_ALERTS_SECRET_FILE", "alerts_secret"),
    }
    return [
        {"name": files[secret][0], "value": f"/run/secrets/{secret}/{files[secret][1]}"}
        for secret in _secrets(service, place)
    ]


def _volumes(service: Service, place: Around) -> list[Plain]:
    data: Object = {"emptyDir": {"sizeLimit": "1Gi"}}
    if place.data == "kept":
        data = {"persistentVolumeClaim": {"claimName": f"{host(service.name)}-data"}}
    found: list[Plain] = [
        {"name": "data", **data},
        {"name": "tmp", "emptyDir": {"medium": "Memory", "sizeLimit": "64Mi"}},
    ]
    found += [
        {"name": secret, "secret": {"secretName": secret, "defaultMode": 0o440}}
        for secret in _secrets(service, place)
    ]
    return found


def _probe(path: str, *, period: int, failures: int) -> Object:
    return {
        "httpGet": {"path": path, "port": "http"},
        "periodSeconds": period,
        "timeoutSeconds": 3,
        "failureThreshold": failures,
    }


def _service(service: Service) -> Object:
    """Its name leads to its pods themselves, ready or not: Prometheus asks each of them."""
    name = host(service.name)
    open_: list[Plain] = [{"name": "http", "port": port(service.name), "targetPort": "http"}]
    if (also := served(service.name)) is not None:
        open_.append({"name": "served", "port": also, "targetPort": "served"})
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": _meta(name),
        "spec": {
            "clusterIP": "None",
            "publishNotReadyAddresses": True,
            "selector": {NAME: name},
            "ports": open_,
        },
    }


def _claim(service: Service) -> Object:
    name = host(service.name)
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": f"{name}-data", "labels": labels(name)},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": "2Gi"}},
        },
    }


def policy(service: Service) -> Object:
    """Who may talk to it and whom it may ask; everything else is refused.

    Kafka is for all: whoever reads and writes nothing still says in `infra` and `logs` how it is.
    """
    name, place = host(service.name), around(service.name)
    into: list[Plain] = [_from(["prometheus"], port(service.name), anywhere=True)]
    if (also := served(service.name)) is not None:
        asking = [host(caller) for caller in callers(service.name)]
        if service.name == "notifier":
            into.append(_from(["alertmanager"], also, anywhere=True))
        elif asking:
            into.append(_from(asking, also))
    out: list[Plain] = [_to("kafka", PORT_KAFKA)]
    for asked in place.asks:
        if asked == POSTGRES:
            out.append(_to(POSTGRES, PORT_POSTGRES))
        elif asked != OUTSIDE:
            out.append(_to(host(asked), served(asked)))
    return _policy(name, name, {"ingress": into, "egress": out})


def outside(service: Service) -> Object:
    """HTTPS to the venue or to Telegram, and to nothing inside."""
    name = host(service.name)
    anywhere: Object = {"ipBlock": {"cidr": "0.0.0.0/0", "except": list(PRIVATE)}}
    rule: Object = {"to": [anywhere], "ports": [{"protocol": "TCP", "port": 443}]}
    return _policy(f"{name}-outside", name, {"egress": [rule]})


def _policy(name: str, of: str, rules: Object) -> Object:
    types = [kind.capitalize() for kind in rules]
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": name, "labels": labels(of)},
        "spec": {"podSelector": {"matchLabels": {NAME: of}}, "policyTypes": types, **rules},
    }


def _from(names: list[str], number: int, *, anywhere: bool = False) -> Object:
    """From these pods of our namespace; `anywhere`: of any, for whoever watches from its own."""
    peers: list[Plain] = [
        ({"namespaceSelector": {}} if anywhere else {})
        | {"podSelector": {"matchLabels": {NAME: name}}}
        for name in names
    ]
    return {"from": peers, "ports": [{"protocol": "TCP", "port": number}]}


def _to(name: str, number: int | None) -> Object:
    peer: Object = {"podSelector": {"matchLabels": {NAME: name}}}
    return {"to": [peer], "ports": [{"protocol": "TCP", "port": number}]}
