"""The screen of `fink top`: what an operator watches, live."""
