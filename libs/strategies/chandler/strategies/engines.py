"""The engines that ship with Chandler. A profile may change any of their fields."""

from chandler.core.engine import Engine, EngineConfig, EvaluatorConfig

scalper = Engine(
    name="scalper",
    version="1.0",
    doc="5m: joins breakouts that come with volume and momentum, out again within the hour.",
    config=EngineConfig(
        granularity="5m",
        evaluators={
            "bollinger_breakout": EvaluatorConfig(weight=2.0, required=True),
            "macd_momentum": EvaluatorConfig(weight=1.0, required=True),
        },
        long_threshold=0.5,
        short_threshold=-0.5,
        cooldown=6,
        freshness_s=120,
        stop_atr=1.5,
        target_atr=[1.5, 3.0],
    ),
)

trend = Engine(
    name="trend",
    version="1.0",
    doc="1H: follows a trend that ADX confirms and the 4H candles share.",
    config=EngineConfig(
        granularity="1H",
        evaluators={
            "trend_follow": EvaluatorConfig(weight=2.0, required=True),
            "macd_momentum": EvaluatorConfig(weight=1.0),
        },
        long_threshold=0.4,
        short_threshold=-0.4,
        cooldown=12,
        freshness_s=600,
        stop_atr=2.5,
        target_atr=[3.0, 6.0],
    ),
)

reverter = Engine(
    name="reverter",
    version="1.0",
    doc="5m: fades overdone moves back to the mean while the 1H candles allow it.",
    config=EngineConfig(
        granularity="5m",
        evaluators={
            "rsi_reversal": EvaluatorConfig(weight=1.0, required=True),
            "band_reversion": EvaluatorConfig(weight=1.0),
        },
        long_threshold=0.35,
        short_threshold=-0.35,
        cooldown=12,
        freshness_s=120,
        stop_atr=2.0,
        target_atr=[1.0, 2.0],
    ),
)
