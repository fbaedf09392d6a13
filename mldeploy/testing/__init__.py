"""What every provider must pass, for whoever writes one: the conformance suite, on a stand-in of its platform.

    from mldeploy.testing.suite import Conformance

    class TestMoon(Conformance):
        @pytest.fixture
        def stage(self) -> MoonStage: ...      # mldeploy.testing.stage.Stage: the provider, and a stand-in to play on

        @pytest.fixture
        def project(self) -> Project: ...      # the app to deploy

`mldeploy.testing.life.Living` adds what a target must pass under which an app runs (it changes, breaks, goes back and
grows), and `mldeploy.testing.load.Gapless` what one must pass that promises versions which change without a gap. Both
play a small app of their own (`mldeploy.testing.sample`), so that their stage has to run images.

Install it with the extra `testing`, and load the plugin (`-p mldeploy.testing.plugin`): it prints how many cases were
tried. The tests that are marked `exhaustive` try every case, the others a few of them.
"""
