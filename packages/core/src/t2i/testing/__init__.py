"""Conformance checks: the promises of every contract, the same in t2i's tests, your tests and `t2i check NAME`.

As a pytest class, whose body provides the object to test (needs pytest)::

    from t2i.testing.generators import GeneratorSuite

    class TestMyTechnique(GeneratorSuite):
        @pytest.fixture
        def generator(self) -> Generator:
            return MyTechnique(MyConfig(resolution=16))

`generators`, `objectives`, `text_encoders`, `language_models`, `evaluators`, `datasets`, `artists`, `engines` and
`plugins` have one suite each. The checks are plain functions in `t2i.testing.checks`; use `bind` to pass them to
pytest.mark.parametrize or to loop over them. If a check is known to fail, add it to `expected_failures`, with the
reason.
"""
