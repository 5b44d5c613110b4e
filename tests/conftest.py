"""Settings of Hypothesis that every test uses."""

from hypothesis import HealthCheck, settings

# Derandomized: a run that fails here fails everywhere. No deadline: machines differ.
settings.register_profile(
    "prunecell",
    derandomize=True,
    deadline=None,
    max_examples=60,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
settings.load_profile("prunecell")
