"""Conformance suites: an author inherits one, names what is tested, and every check of the contract runs.

    from t2i.testing.generators import GeneratorSuite

    class TestMyTechnique(GeneratorSuite):
        @pytest.fixture
        def generator(self) -> Generator:
            return MyTechnique(MyConfig(resolution=16))

`generators`, `text_encoders`, `datasets` and `objectives` hold one suite each. They need pytest, which t2i-core
does not depend on: pip install pytest
"""
