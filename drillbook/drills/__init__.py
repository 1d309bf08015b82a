"""What the steps of the features speak to: the drill, and a module for each subject that drills are about."""
