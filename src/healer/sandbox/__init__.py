"""Reading pictures in processes of their own, which may hang, swell or die without harm."""
