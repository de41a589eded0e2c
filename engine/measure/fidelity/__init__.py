"""How closely a replay followed its trace."""
