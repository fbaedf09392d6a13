"""An app in a Kubernetes cluster: any that a kubeconfig names (`--target kubernetes`), or one that a cloud makes (GKE).

The seam for a target that brings its own cluster:

    class MyCluster(ClusterStep[MyCloud]):            # mldeploy.providers.kubernetes.cluster
        def scope(self): return (location, name)      # a property; begins every key inside the cluster
        def probe / apply → Seen[Kube] / Kube         # Kube(ApiClient(prepare(configuration))), of .api and .sdk

    class MyCloud:                                    # satisfies HasCluster: engine, owner, kube(scope)
        owner = Owner(app, "gke")                     # .labels: what everything bears
        def kube(self, cluster): ...                  # for undo: the client, or None if the cluster is surely gone

    class MySettings(InClusterSettings): ...          # .settings: namespace, instances, ingress, min, max, …

    goal = in_cluster(project, settings, owner, cluster_step, pushed_image)       # .goal → KubernetesEndpoint
    kinds = {…, **KINDS}                              # .goal.KINDS: for undo
    inventory → in_cluster_inventory(kube, owner, scope, namespace)               # .inventory
    service → InClusterService(kube, project, settings, owner)   # .operate: all of providers.base.Service
    manifests(…), rules(…), checks: .manifests, .permissions, .checks

While the cluster does not exist (`outs.get(cluster)` is None) every step in it is absent: `plan` says so, and asks
nobody. A removal reaches an object by its key alone: `Key(name, (*cluster.scope, namespace))`.
"""
