"""A strategy that does what a file tells it: `told.json` in freqtrade's user folder.

`enter` is sides by pair, `exit` a list of pairs, `stop` the distance of the stop by pair, as a
fraction that leverage counts in. The script writes the file; freqtrade acts on it in its own time.
"""

import json
from pathlib import Path

from freqtrade.strategy import IStrategy


class Told(IStrategy):
    INTERFACE_VERSION = 3
    timeframe = "1m"
    can_short = True
    minimal_roi = {}
    stoploss = -0.20
    use_custom_stoploss = True
    startup_candle_count = 5
    process_only_new_candles = False
    order_types = {
        "entry": "market",
        "exit": "market",
        "force_exit": "market",
        "emergency_exit": "market",
        "stoploss": "market",
        "stoploss_on_exchange": True,
        "stoploss_on_exchange_interval": 3,
        "stoploss_price_type": "last",
    }

    def told(self):
        try:
            return json.loads((Path(self.config["user_data_dir"]) / "told.json").read_text())
        except (FileNotFoundError, json.JSONDecodeError):
            return {}

    def populate_indicators(self, dataframe, metadata):
        return dataframe

    def populate_entry_trend(self, dataframe, metadata):
        side = self.told().get("enter", {}).get(metadata["pair"])
        if side:
            dataframe.loc[dataframe.index[-1], f"enter_{side}"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        if metadata["pair"] in self.told().get("exit", []):
            dataframe.loc[dataframe.index[-1], ["exit_long", "exit_short"]] = 1
        return dataframe

    def custom_stoploss(self, pair, trade, current_time, current_rate, current_profit, **more):
        return self.told().get("stop", {}).get(pair)

    def leverage(self, *asked, **more):
        return 3.0
