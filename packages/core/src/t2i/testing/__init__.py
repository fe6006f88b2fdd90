"""Conformance: the promises of every contract, checked the same way here, in your tests and by `t2i check NAME`.

As a pytest class, whose body says what is tested (needs pytest)::

    from t2i.testing.generators import GeneratorSuite

    class TestMyTechnique(GeneratorSuite):
        @pytest.fixture
        def generator(self) -> Generator:
            return MyTechnique(MyConfig(resolution=16))

`generators`, `objectives`, `text_encoders`, `evaluators`, `datasets`, `artists` and `plugins` hold one suite each. The
checks themselves are plain functions in `t2i.testing.checks`; `bind` gives them to pytest.mark.parametrize or to a
loop. A promise you cannot keep goes into `expected_failures`, with the reason.
"""
