"""An image is looked at before it goes anywhere: it is started once behind the app's walls, and looked into."""
