"""Apps in a Kubernetes cluster: one from a kubeconfig (`--target kubernetes`), or one that a cloud creates (GKE).

The interface for a target that creates its own cluster:

    class MyCluster(ClusterStep[MyCloud]):            # mldeploy.providers.kubernetes.cloud
        def scope(self): return (location, name)      # a property; the first part of every key in the cluster
        def probe / apply → Seen[Kube] / Kube         # Kube(ApiClient(prepare(configuration))), of .api and .sdk

    class MyCloud:                                    # satisfies HasCluster: engine, owner, kube(scope)
        owner = Owner(app, "gke")                     # .labels: the labels of every object
        def kube(self, cluster): ...                  # for undo: the client, or None if the cluster is certainly gone

    class MySettings(InClusterSettings): ...          # .settings: namespace, instances, ingress, min, max, …

    goal = in_cluster(project, settings, owner, cluster_step, pushed_image)       # .goal → KubernetesEndpoint
    kinds = derive_kinds(KubernetesEndpoint, MyCluster, …)   # for undo
    inventory → in_cluster_inventory(kube, owner, scope, namespace)               # .inventory
    service → InClusterService(kube, project, settings, owner)   # .operate: all of providers.base.Service
    manifests(…), rules(…), checks: .manifests, .permissions, .checks

While the cluster does not exist (`outs.get(cluster)` is None), every step in it is absent; `plan` sends no request.
A removal needs only the object's key: `Key(name, (*cluster.scope, namespace))`.
"""

from mldeploy.providers.declaration import TargetDeclaration

TARGETS = (
    TargetDeclaration(
        "kubernetes",
        extra="kubernetes",
        stand_in="mldeploy.rehearsal.standins:KUBERNETES",
        sign_in="mldeploy.ci.signing.kubernetes:sign_in",
        completion="mldeploy.providers.kubernetes.completion:complete",
    ),
)
