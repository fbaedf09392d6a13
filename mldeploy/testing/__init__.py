"""The conformance suite for providers. It runs against a stand-in of the provider's platform.

    from mldeploy.testing.suite import Conformance

    class TestMoon(Conformance):
        @pytest.fixture
        def stage(self) -> MoonStage: ...      # a mldeploy.testing.stage.ProviderUnderTest

        @pytest.fixture
        def project(self) -> Project: ...      # the app to deploy

`mldeploy.testing.life.RolloutSuite` adds the tests of a target that runs apps (changes, broken versions, rollback,
scaling). `mldeploy.testing.load.ZeroDowntimeSuite` adds those of a target that promises rollouts without downtime,
`mldeploy.testing.canary.CanarySuite` those of a target that runs two versions side by side (`providers.traffic`),
`mldeploy.testing.secrets` those of a target with a secret store, and `mldeploy.testing.access.AccessKeySuite` those of
one with access keys. Most deploy a small sample app (`mldeploy.testing.sample`), so the stand-in must run images.

Install it with the extra `testing` and load the plugin (`-p mldeploy.testing.plugin`), which prints how many cases were
run. Tests marked `exhaustive` run every case, the others a sample.
"""
