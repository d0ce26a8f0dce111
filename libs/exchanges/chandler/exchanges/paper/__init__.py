"""The paper venue as a broker: core's matching and accounts behind the port of live venues."""
