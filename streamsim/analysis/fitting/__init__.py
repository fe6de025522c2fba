"""From a trace to service models: what each station's work costs, and how it scatters."""
