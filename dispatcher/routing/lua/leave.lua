-- Give up a call's place in line.
--
-- args  lease_id

give_up_place(args.lease_id)
