"""What every provider must pass, for whoever writes one: the conformance suite, on a stand-in of its platform.

    from mldeploy.testing.suite import Conformance

    class TestMoon(Conformance):
        @pytest.fixture
        def stage(self) -> MoonStage: ...      # mldeploy.testing.stage.Stage: the provider, and a stand-in to play on

        @pytest.fixture
        def project(self) -> Project: ...      # the app to deploy

Install it with the extra `testing`, and load the plugin (`-p mldeploy.testing.plugin`): it prints how many cases were
tried. The tests that are marked `exhaustive` try every case, the others a few of them.
"""
