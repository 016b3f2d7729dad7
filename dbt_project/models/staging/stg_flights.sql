with

source as (

    select * from {{ source('raw', 'flights') }}

),

renamed as (

    select

        ----------  ids
        -- No carrier reuses a flight number at an airport on the same day.
        concat_ws(
            '-', make_date(year, month, day), carrier, flight, origin
        ) as flight_id,
        carrier as carrier_code,
        tailnum as tail_number,
        origin as origin_airport_code,
        dest as destination_airport_code,

        ---------- text
        flight::text as flight_number,

        ---------- numerics
        dep_delay as departure_delay_minutes,
        arr_delay as arrival_delay_minutes,
        air_time as air_time_minutes,
        distance as distance_miles,

        ---------- booleans
        -- A cancelled flight has no departure, so it has no delay either:
        -- null, never zero. One that left but has no arrival delay was
        -- diverted.
        dep_time is null as is_cancelled,
        dep_time is not null and arr_delay is null as is_diverted,
        coalesce(arr_delay >= 15, false) as is_late,

        ---------- dates, as on a calendar in New York
        make_date(year, month, day) as flight_date,
        make_date(year, month, 1) as flight_month,

        ---------- timestamps, with time zone
        time_hour as scheduled_departure_hour_at,
        time_hour + make_interval(mins => minute) as scheduled_departure_at,
        _loaded_at as loaded_at

    from source

)

select * from renamed
